"""`/api/builds`: have an image made before anybody launches it, and ask how it stands.

Who brings an admin token with the scope `prepare`, or one of `builds.tokens`, may name members;
anybody else gets an image at one member at most, as a launch would. The id of a pre-build is all
that it takes to read it.
"""

import hmac
from dataclasses import replace
from hashlib import sha256
from typing import Annotated, Literal
from urllib.parse import quote

import structlog
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from binder_federation.binder.errors import NotAuthorized
from binder_federation.binder.spec import split_path
from binder_federation.config.admin import Scope
from binder_federation.federation.context import CONTEXT, FederationContext
from binder_federation.federation.handlers.admin import ScopeNeeded, check_admin
from binder_federation.federation.handlers.public_url import client_address
from binder_federation.federation.launch_request import LaunchRequest
from binder_federation.runtime.bodies import read_body
from binder_federation.runtime.errors import Fault, ServiceError
from binder_federation.runtime.web import json_ok

log = structlog.get_logger(__name__)

SAFE = "/%:@!$&()*+,;=~"
ANYBODY = "anybody"
MOST_BYTES = 64 * 1024


class InvalidBuildRequest(ServiceError):
    """The body does not say what to make, and where."""

    code = "invalid_build_request"
    status = 400
    fault = Fault.REQUEST


class BuildUnknown(ServiceError):
    """Nobody knows a pre-build of that id."""

    code = "build_unknown"
    status = 404
    fault = Fault.REQUEST


class BuildRequest(BaseModel):
    """The body of `POST /api/builds`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    spec: Annotated[str, Field(min_length=1, max_length=2048)]
    members: Literal["all", "one"] | Annotated[list[str], Field(min_length=1, max_length=1000)] = (
        "one"
    )


async def begin(request: web.Request) -> web.Response:
    """`POST /api/builds`: 202 with the pre-build, and its address in `Location`."""
    context = request.app[CONTEXT]
    who = _who(request)
    wanted = _parse(await read_body(request, most_bytes=MOST_BYTES))
    if who == ANYBODY:
        _check_anybody(context, wanted)
    names = wanted.members if isinstance(wanted.members, str) else _names(context, wanted.members)
    raw_path = quote(wanted.spec.strip().strip("/").removeprefix("v2/"), safe=SAFE)
    spec = context.repositories.parse(raw_path)
    launch = LaunchRequest(
        spec=spec,
        raw_spec=split_path(raw_path)[1],
        client_address=client_address(request),
        is_build_only=True,
    )
    context.admission.check_bans(launch.client_address, spec)
    if who == ANYBODY:
        await context.admission.admit(request, launch)
    # What is kept of it tells nothing of who asked.
    prebuild = await context.prebuilds.begin(replace(launch, client_address=""), names)
    log.info("prebuild_asked_for", prebuild=prebuild["id"], by=who, members=wanted.members)
    return json_ok(prebuild, status=202, location=f"/api/builds/{prebuild['id']}")


async def tell(request: web.Request) -> web.Response:
    """`GET /api/builds/{id}`: how it stands."""
    prebuild = await request.app[CONTEXT].prebuilds.find(request.match_info["id"])
    if prebuild is None:
        raise BuildUnknown(
            "Nobody knows a pre-build of this id, or not any more.",
            advice="Ask for it anew with POST /api/builds: what was built is there.",
        )
    return json_ok(prebuild)


def _who(request: web.Request) -> str:
    """Who asks: the name of a token, or anybody. `NotAuthorized` for a wrong token."""
    context = request.app[CONTEXT]
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and (name := _builder(context, given.strip())):
        return name
    try:
        return check_admin(request, Scope.PREPARE).name
    except ScopeNeeded:
        raise
    except NotAuthorized:
        if scheme:
            raise NotAuthorized(
                "This token may not have images made here.",
                advice="Send a token of builds.tokens in the header Authorization: Bearer ….",
            ) from None
        return ANYBODY


def _builder(context: FederationContext, given: str) -> str:
    """The name of the token, or an empty text. Hashes are compared, of all of them."""
    digest = sha256(given.encode()).digest()
    found = ""
    for builder in context.settings.builds.tokens:
        expected = sha256(builder.token.get_secret_value().encode()).digest()
        if hmac.compare_digest(digest, expected):
            found = builder.name
    return found


def _check_anybody(context: FederationContext, wanted: BuildRequest) -> None:
    if not context.settings.builds.anonymous or wanted.members != "one":
        raise NotAuthorized(
            "Naming members needs a token."
            if context.settings.builds.anonymous
            else "Having images made needs a token.",
            advice="Send a token of builds.tokens in the header Authorization: Bearer ….",
        )


def _names(context: FederationContext, names: list[str]) -> tuple[str, ...]:
    unknown = sorted({name for name in names if context.roster.get(name) is None})
    if unknown:
        raise InvalidBuildRequest(
            f"There is no member of the name {unknown[0][:63]!r}.",
            advice="GET /api/members names them.",
        )
    return tuple(dict.fromkeys(names))


def _parse(body: bytes) -> BuildRequest:
    try:
        return BuildRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidBuildRequest(f"The body cannot be used: {where}: {first['msg']}.") from error
