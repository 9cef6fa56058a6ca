"""What a 401 asks for: the `WWW-Authenticate` header of a registry.

`Bearer realm="https://auth.example.org/token",service="registry",scope="repository:a/b:pull"`
says where a token is had and what for; `Basic realm="…"` wants user and password.
https://distribution.github.io/distribution/spec/auth/token/
https://www.rfc-editor.org/rfc/rfc9110#name-www-authenticate
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_SCHEME = re.compile(r"(?:^|,)\s*(bearer|basic)(?=\s|,|$)", re.IGNORECASE)
_PARAMETER = re.compile(r'([a-z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to authenticate. `realm` is the token server's address (bearer only)."""

    scheme: Literal["bearer", "basic"]
    realm: str = ""
    service: str = ""
    scope: str = ""


def read_challenge(headers: Sequence[str]) -> Challenge | None:
    """The way to take of those in `WWW-Authenticate` headers: bearer before basic."""
    found = [challenge for header in headers for challenge in _challenges(header)]
    for scheme in ("bearer", "basic"):
        for challenge in found:
            if challenge.scheme == scheme:
                return challenge
    return None


def _challenges(header: str) -> list[Challenge]:
    starts = list(_SCHEME.finditer(header))
    ends = [match.start() for match in starts[1:]]
    return [
        _challenge(match[1].lower(), header[match.end() : end])
        for match, end in zip(starts, [*ends, None], strict=False)
    ]


def _challenge(scheme: str, text: str) -> Challenge:
    values = {
        match[1].lower(): re.sub(r"\\(.)", r"\1", match[2] or match[3] or "")
        for match in _PARAMETER.finditer(text)
    }
    if scheme == "basic":
        return Challenge("basic")
    return Challenge(
        "bearer", values.get("realm", ""), values.get("service", ""), values.get("scope", "")
    )
