"""What every Binder service answers about itself: health, versions, metrics, providers."""

import json
import platform
from functools import lru_cache
from importlib import resources

import yaml
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from binder_federation import __version__
from binder_federation.binder.messages import PROTOCOL_VERSION
from binder_federation.federation.context import CONTEXT
from binder_federation.runtime.web import json_ok

ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}


async def health(request: web.Request) -> web.Response:
    """`GET /health`: BinderHub's shape. Members that are down do not make the router unwell."""
    answer = await request.app[CONTEXT].health_checks.run()
    return json_ok(answer.to_json(), status=answer.status)


async def versions(_request: web.Request) -> web.Response:
    """`GET /versions`."""
    return json_ok(
        {
            "builder": "federation",
            "binderhub": __version__,
            "binder-federation": __version__,
            "protocol": PROTOCOL_VERSION,
            "python": platform.python_version(),
        }
    )


async def metrics(request: web.Request) -> web.Response:
    """`GET /metrics`, for Prometheus."""
    context = request.app[CONTEXT]
    context.metrics.keep_only(frozenset(member.name for member in context.roster))
    body = context.metrics.exposition.body()
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def repo_providers(request: web.Request) -> web.Response:
    """`GET /api/repoproviders`: what the launch form needs to know, as BinderHub's."""
    displays = [dict(display) for display in request.app[CONTEXT].repositories.displays()]
    return web.json_response(displays, headers=ANY_ORIGIN)


async def openapi(_request: web.Request) -> web.Response:
    """`GET /api/openapi.json`: the description of this API."""
    return web.Response(body=_openapi_body(), content_type="application/json", headers=ANY_ORIGIN)


@lru_cache(maxsize=1)
def _openapi_body() -> bytes:
    """Read and encoded once: parsing it takes a tenth of a second."""
    return json.dumps(load_openapi()).encode()


def load_openapi() -> dict[str, object]:
    """The OpenAPI description that the package ships, with this version's number."""
    text = resources.files("binder_federation.federation").joinpath("openapi.yaml").read_text()
    description: dict[str, object] = yaml.safe_load(text)
    info = description["info"]
    assert isinstance(info, dict)  # noqa: S101 - it is our own file
    info["version"] = __version__
    return description
