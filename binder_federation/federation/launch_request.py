"""What a visitor asked for, as the edge understood it."""

from dataclasses import dataclass
from urllib.parse import quote

from binder_federation.binder.spec import LaunchSpec


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """One launch as asked for. `raw_spec` is the spec's text in the URL, percent-encoded."""

    spec: LaunchSpec
    raw_spec: str
    client_address: str = ""
    launch_host: str = ""
    """The federation's public URL, with a trailing `/`."""
    origin: str = ""
    avoid: frozenset[str] = frozenset()
    """Members that the visitor does not want to try again."""
    is_build_only: bool = False
    has_build_token: bool = False
    """Whether the visitor brought one that is valid."""
    request_origin: str = ""
    """The header Origin, or else Sec-Fetch-Site: where the visitor launched from."""
    prefer: str = ""
    """The member where the visitor was before, if any."""

    @property
    def path(self) -> str:
        """`v2/<provider>/<spec>` as asked for."""
        return f"v2/{self.spec.provider}/{self.raw_spec}"


def audience(provider: str, raw_spec: str) -> str:
    """What a build token is for, in the form in which the URL carries it."""
    return f"{quote(provider)}/{raw_spec}"
