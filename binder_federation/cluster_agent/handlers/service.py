"""What a member answers about itself: health, versions, metrics, providers."""

import json
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from binder_federation import __version__
from binder_federation.binder.messages import PROTOCOL_VERSION
from binder_federation.cluster_agent.context import CONTEXT
from binder_federation.runtime.web import json_ok


async def health(request: web.Request) -> web.Response:
    """`GET` and `HEAD /health`: 200 or 503, in BinderHub's shape."""
    answer = await request.app[CONTEXT].health_checks.run()
    return json_ok(answer.to_json(), status=answer.status)


async def versions(request: web.Request) -> web.Response:
    """`GET /versions`."""
    return json_ok(
        {
            "builder": request.app[CONTEXT].settings.stack,
            "binderhub": __version__,
            "binder-federation": __version__,
            "protocol": PROTOCOL_VERSION,
        }
    )


async def metrics(request: web.Request) -> web.Response:
    """`GET /metrics`, for Prometheus."""
    body = generate_latest(request.app[CONTEXT].metrics.registry)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})


async def repo_providers(request: web.Request) -> web.Response:
    """`GET /api/repoproviders`: which providers there are, as BinderHub's."""
    providers = request.app[CONTEXT].providers.values()
    return json_ok([dict(provider.display) for provider in providers])


async def openapi(_request: web.Request) -> web.Response:
    """`GET /api/openapi.json`: the description of this API."""
    return web.Response(body=_openapi_body(), content_type="application/json")


@lru_cache(maxsize=1)
def _openapi_body() -> bytes:
    """Read and encoded once: parsing it takes a tenth of a second."""
    return json.dumps(load_openapi()).encode()


def load_openapi() -> dict[str, Any]:
    """The OpenAPI description that the package ships, with this version's number."""
    text = resources.files("binder_federation.cluster_agent").joinpath("openapi.yaml").read_text()
    description: dict[str, Any] = yaml.safe_load(text)
    description["info"]["version"] = __version__
    return description
