"""One ended launch, as the launch event log tells it. Pure.

Nothing in it leads to a visitor: no address, no token, no user. A site's origin is told as
BinderHub tells it, unless it is a bare address.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

NAMES = {
    "gh": "GitHub",
    "gist": "Gist",
    "gl": "GitLab",
    "git": "Git",
    "zenodo": "Zenodo",
    "figshare": "Figshare",
    "hydroshare": "Hydroshare",
    "dataverse": "Dataverse",
    "ckan": "CKAN",
    "bitbucket": "Bitbucket",
}
"""BinderHub's names of the providers."""

_ORIGIN = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]{1,253}", re.ASCII)
_FETCH_SITES = frozenset({"same-origin", "same-site", "cross-site", "none"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedLaunch:
    """What is told of a launch. `raw_spec` is as in the link, `seconds` from request to end."""

    provider: str
    """The provider's id, such as `gh`."""
    raw_spec: str
    resolved_ref: str
    has_build_token: bool
    host: str
    """Of the public URL that was asked."""
    request_origin: str
    code: str = ""
    """What failed; empty for a success."""
    member: str = ""
    attempts: int = 0
    seconds: float | None = None

    @property
    def is_success(self) -> bool:
        """Whether a server was ready."""
        return not self.code

    def to_json(self, *, origin: str = "", has_details: bool = True) -> dict[str, Any]:
        """The line without its time; `origin` is told instead of `host`, if given."""
        line = {
            "provider": NAMES.get(self.provider, self.provider),
            "spec": self.raw_spec.rstrip("/"),
            "ref": self.resolved_ref,
            "status": "success" if self.is_success else "failure",
            "build_token": self.has_build_token,
            "origin": origin or self.host,
            "request_origin": public_origin(self.request_origin),
        }
        return {**line, **self._details()} if has_details else line

    def _details(self) -> dict[str, Any]:
        details: dict[str, Any] = {"attempts": self.attempts}
        if self.member:
            details["member"] = self.member
        if self.seconds is not None:
            details["seconds"] = round(max(0.0, self.seconds), 1)
        if self.code:
            details["code"] = self.code
        return details


def public_origin(text: str) -> str:
    """A site's origin, or how the browser calls the site; empty for all else and for addresses."""
    if text in _FETCH_SITES:
        return text
    if not _ORIGIN.fullmatch(text):
        return ""
    try:
        host = urlsplit(text).hostname or ""
    except ValueError:
        return ""
    return "" if _is_address(host) else text


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def host_of(url: str) -> str:
    """The host in a URL, with its port."""
    return urlsplit(url).netloc
