"""Build tokens of visitors: this launch was asked for from a page of ours.

In the shape of BinderHub's: HS256 JSON web tokens (RFC 7519) with `aud` the
`<provider>/<repository>/<ref>`, `origin` the host of the page, and `exp`; ours is bound to the
visitor's address as well, as a hash. A launch that brings one has a limit of its own, a higher one
(`admission.py`). The page that is loaded carries one.

Keys come from the settings, or the replicas agree on one (`limits/shared_key.py`). What was
signed with a key that is not known here is then no reason to refuse anybody: it may be the
key of a replica that has not heard of ours.
"""

import hashlib
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import jwt
from jwt.types import Options

from binder_federation.binder.errors import NotAuthorized
from binder_federation.binder.spec import LaunchSpec
from binder_federation.binder.visitor_addresses import counted_as

ALGORITHM = "HS256"
LEEWAY_SECONDS = 30.0
"""Replicas' clocks differ."""
MOST_TOKEN_LENGTH = 8192
_SIGNATURE_ALONE: Options = {
    "verify_exp": False,
    "verify_aud": False,
    "verify_iat": False,
    "require": ["exp", "aud"],
}
"""What it says is looked at here, by our clock."""


class TokenStanding(StrEnum):
    """What a launch's token is worth."""

    NONE = "none"
    """There is none, or it was signed with a key that is not known here."""
    VALID = "valid"
    EXPIRED = "expired"
    """It was good once: a page that was left open."""
    ELSEWHERE = "elsewhere"
    """It was made for a visitor of another network."""


class VisitorTokens:
    """Signs and checks. `keys()` are those of now, the one that signs first."""

    def __init__(
        self,
        *,
        keys: Callable[[], Sequence[str]],
        clock: Callable[[], float],
        lifetime_seconds: float,
        knows_all_keys: bool,
        checks_origin: bool = True,
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._lifetime_seconds = lifetime_seconds
        self._knows_all_keys = knows_all_keys
        self._checks_origin = checks_origin

    def sign(self, spec: LaunchSpec, origin: str, *, address: str) -> str:
        """A token for launches of `spec` from pages of `origin` (host and port), by a visitor of
        `address`."""
        now, key = int(self._clock()), _signing_key(self._keys()[0])
        payload = {
            "aud": audience(spec),
            "origin": origin,
            "net": _network(address, key),
            "iat": now,
            "exp": now + int(self._lifetime_seconds),
        }
        return jwt.encode(payload, key, algorithm=ALGORITHM)

    def check(self, token: str, spec: LaunchSpec, origin: str, *, address: str) -> TokenStanding:
        """What `token` is worth for a launch of `spec` from `origin`, by a visitor of `address`.

        Raises `NotAuthorized` for one that is for something else, or forged.
        """
        payload, key = self._read(token) if len(token) <= MOST_TOKEN_LENGTH else (None, b"")
        if payload is None:
            if self._knows_all_keys:
                raise _invalid("It was not made here.")
            return TokenStanding.NONE
        if payload.get("aud") != audience(spec):
            raise _invalid("It is for another repository.")
        if self._checks_origin and payload.get("origin") != origin:
            raise _invalid("It is for pages of another site.")
        network = payload.get("net")  # who shares a key may leave it out
        if network is not None and network != _network(address, key):
            return TokenStanding.ELSEWHERE
        return self._standing(payload)

    def _standing(self, payload: dict[str, Any]) -> TokenStanding:
        expires_at = payload["exp"]
        if not isinstance(expires_at, int | float):
            raise _invalid("It does not say when it ends.")
        is_valid = self._clock() <= expires_at + LEEWAY_SECONDS
        return TokenStanding.VALID if is_valid else TokenStanding.EXPIRED

    def _read(self, token: str) -> tuple[dict[str, Any] | None, bytes]:
        """The payload, if one of our keys signed it, and that key."""
        for each in self._keys():
            key = _signing_key(each)
            try:
                found = jwt.decode(token, key, algorithms=[ALGORITHM], options=_SIGNATURE_ALONE)
            except jwt.PyJWTError:
                continue
            return found, key
        return None, b""


def audience(spec: LaunchSpec) -> str:
    """What a token is for, however the link was spelt."""
    return f"{spec.provider}/{spec.repository}/{spec.ref}"


def page_origin(origin: str, host: str) -> str:
    """Host and port of the page that asks: of the header `Origin`, else the host it asks."""
    try:
        return (urlsplit(origin).netloc if origin else host).lower()
    except ValueError:  # a header from anybody
        return ""


def _invalid(why: str) -> NotAuthorized:
    return NotAuthorized(
        f"The build token is not valid for this launch. {why}",
        advice="Open the link again, or launch without a build token.",
    )


def _network(address: str, key: bytes) -> str:
    """The address as the rate limit counts it (IPv6: its /64), so that nobody reads it."""
    return hashlib.blake2b(counted_as(address).encode(), key=key, digest_size=9).hexdigest()


def _signing_key(key: str) -> bytes:
    """Of a use of its own: nothing that is signed with the same text for another use counts."""
    return hashlib.sha256(b"binder visitor token\0" + key.encode()).digest()
