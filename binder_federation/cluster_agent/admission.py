"""Who may build and launch here: whoever brings a build token for it.

The federation signs one for each launch with the credential that it shares with
this member alone. An institution may open its agent to everybody instead. While a credential
is replaced, tokens that were signed with the old one are taken too.
"""

import contextlib

from aiohttp import web

from binder_federation.binder.build_tokens import BuildClaims, verify_build_token
from binder_federation.binder.errors import NotAuthorized
from binder_federation.binder.forwarding import TrustedProxies
from binder_federation.cluster_agent.membership.identity import Identity
from binder_federation.config.agent import AgentSettings


class Admission:
    """Reads and checks the build token of a request."""

    def __init__(self, *, settings: AgentSettings, identity: Identity) -> None:
        self._identity = identity
        self._proxies = TrustedProxies(settings.trusted_proxies, settings.forwarded_headers)
        self._is_open = settings.open_builds

    def check(self, request: web.Request, raw_path: str) -> BuildClaims:
        """What is known of the visitor; `NotAuthorized` when the token does not allow this.

        A wrong token is refused also where none is needed: it is a mistake that
        its sender wants to know of.
        """
        token = _token(request)
        if token:
            return self._verify(token, raw_path)
        if not self._is_open:
            raise NotAuthorized(
                "This member takes launches from its federation only.",
                advice="Launch through the federation; a build token comes with that.",
            )
        visitor = self._proxies.find(request)
        scheme, host = visitor.scheme or request.scheme, visitor.host or request.host
        return BuildClaims(
            audience=raw_path,
            client_address=visitor.address,
            launch_host=f"{scheme}://{host}/",
            request=f"v2/{raw_path}",
            origin=request.headers.get("Origin", ""),
        )

    def _verify(self, token: str, raw_path: str) -> BuildClaims:
        if not self._identity.accepted:
            raise NotAuthorized("This agent is no member of a federation yet.")
        *others, last = self._identity.accepted
        for key in others:
            with contextlib.suppress(NotAuthorized):
                return verify_build_token(key, token, audience=raw_path)
        return verify_build_token(last, token, audience=raw_path)


def _token(request: web.Request) -> str:
    """The build token. A client that was sent here may bring a header meant for the federation."""
    if given := request.query.get("build_token", ""):
        return given
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""
