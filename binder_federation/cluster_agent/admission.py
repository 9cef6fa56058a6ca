"""Who may build and launch here: whoever brings a build token for it.

The federation signs one for each launch with the credential that it shares with
this member alone. An institution may open its agent to everybody instead.
"""

from aiohttp import web

from binder_federation.binder.build_tokens import BuildClaims, verify_build_token
from binder_federation.binder.errors import NotAuthorized
from binder_federation.config.agent import AgentSettings


class Admission:
    """Reads and checks the build token of a request."""

    def __init__(self, *, settings: AgentSettings) -> None:
        self._key = settings.credential.get_secret_value()
        self._is_open = settings.open_builds

    def check(self, request: web.Request, raw_path: str) -> BuildClaims:
        """What is known of the visitor; `NotAuthorized` when the token does not allow this.

        A wrong token is refused also where none is needed: it is a mistake that
        its sender wants to know of.
        """
        token = _token(request)
        if token:
            return verify_build_token(self._key, token, audience=raw_path)
        if not self._is_open:
            raise NotAuthorized(
                "This member takes launches from its federation only.",
                advice="Launch through the federation; a build token comes with that.",
            )
        return BuildClaims(
            audience=raw_path,
            client_address=request.remote or "",
            launch_host=f"{request.scheme}://{request.host}/",
            request=f"v2/{raw_path}",
            origin=request.headers.get("Origin", ""),
        )


def _token(request: web.Request) -> str:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    return request.query.get("build_token", "")
