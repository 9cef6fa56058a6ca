"""Every address that a service answers is described, and nothing else is."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from openapi_spec_validator import validate

from binder_federation.cluster_agent.app import create_app as create_agent
from binder_federation.cluster_agent.handlers.service import load_openapi as load_agents
from binder_federation.config.agent import AgentSettings
from binder_federation.config.federation import FederationSettings
from binder_federation.federation.app import create_app as create_federation
from binder_federation.federation.handlers.service import load_openapi as load_federations

IMAGE = re.compile(r"/static/|.*\.(svg|ico|png)$")
"""Icons and badges under all their old names, and what pages load."""
SPEC = re.compile(r"\{(path|launch_path)\}$")
REPOSITORY = "{provider}/{spec}"
METHODS = {"get", "head", "post", "put", "delete", "options"}


def routes(app: web.Application) -> Iterator[tuple[str, str]]:
    for resource in app.router.resources():
        path = resource.canonical.replace("{repository}{path}", "{repository}")
        path = SPEC.sub(REPOSITORY, path).rstrip("/") or "/"
        for route in resource:
            yield path, route.method.lower()


def described(description: dict[str, Any]) -> set[tuple[str, str]]:
    return {
        (path, method)
        for path, operations in description["paths"].items()
        for method in operations
        if method in METHODS
    }


def check(served: set[tuple[str, str]], description: dict[str, Any]) -> None:
    validate(description)
    told = described(description)
    # A HEAD that comes with each GET needs no words of its own.
    served = {
        (path, method) for path, method in served
        if not IMAGE.match(path) and (method != "head" or (path, method) in told)
    }  # fmt: skip
    told = {(path, method) for path, method in told if not IMAGE.match(path)}

    assert served - told == set(), "served, but not described in openapi.yaml"
    assert told - served == set(), "described in openapi.yaml, but not served"


async def test_the_federations_addresses_are_described() -> None:
    app = await create_federation(FederationSettings())
    served = set(routes(app))
    await app.cleanup()

    check(served, load_federations())


def test_an_agents_addresses_are_described() -> None:
    settings = AgentSettings(name="alpha", credential="a-credential-of-32-bytes-or-more")

    check(set(routes(create_agent(settings))), load_agents())


@pytest.mark.parametrize("load", [load_federations, load_agents])
def test_every_operation_has_a_name_and_a_summary(load: Any) -> None:
    operations = [
        operation
        for path in load()["paths"].values()
        for method, operation in path.items()
        if method in METHODS
    ]
    names = [operation["operationId"] for operation in operations]

    assert len(set(names)) == len(names)
    assert all(operation["summary"] for operation in operations)
