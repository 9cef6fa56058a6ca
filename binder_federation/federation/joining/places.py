"""Where a member that joins may be, and its sessions: on the public internet, on one site.

The federation sends requests to the addresses that a joiner names, some with an Authorization that
the joiner chose. So these must not lead into the federation's own network. Names are looked up
before each use; the setting `joining.allow_private_addresses` lifts it for federations within one
network.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

from binder_federation.binder.providers.addresses import AddressGuard
from binder_federation.federation.joining.errors import InvalidJoinRequest
from binder_federation.runtime.bounded import read_web_url
from binder_federation.runtime.errors import ServiceError

LOOK_UP_SECONDS = 5.0


class Places:
    """Looks at addresses of members."""

    def __init__(self, *, allow_private: bool, guard: AddressGuard | None = None) -> None:
        self._guard = guard or AddressGuard(timeout_seconds=LOOK_UP_SECONDS)
        self._allow_private = allow_private

    async def check(self, url: str) -> None:
        """Raises `InvalidJoinRequest` when `url` leads elsewhere than to the public internet."""
        if trouble := await self.trouble(url):
            raise InvalidJoinRequest(
                f"The address {url} is none for a member: {trouble}",
                advice="Give the agent a public address, with a certificate. Within one network "
                "the federation's operator sets joining.allow_private_addresses.",
            )

    async def trouble(self, url: str) -> str:
        """Why the federation does not go to `url`, a sentence; empty when it does."""
        host = urlsplit(url).hostname or ""
        if self._allow_private:
            return ""
        try:
            await self._guard.fetch_allowed(host)
        except ServiceError:
            return f"{host} is not on the public internet."
        return ""


def find_session_trouble(session_url: str, member_url: str) -> str:
    """Why a session's URL is none of this member's, a sentence; empty when it is.

    A session is on its member's site: the same address, or names under the same domain.
    """
    try:
        read_web_url(session_url)
    except ValueError as error:
        return f"The session's URL cannot be used: {error}."
    session, member = urlsplit(session_url).hostname or "", urlsplit(member_url).hostname or ""
    if session == member or _site(session) == _site(member):
        return ""
    return f"The session is at {session}, which is another site than {member}."


def _site(host: str) -> str:
    """The last two labels of a name; an address is a site of its own."""
    try:
        return str(ip_address(host))
    except ValueError:
        return ".".join(host.lower().rstrip(".").split(".")[-2:])
