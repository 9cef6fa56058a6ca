"""Which admin token a caller has brought, and what it allows.

Only hashes are kept and compared, and always all of them: how long the answer takes tells
nothing of which one was nearly right.
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from binder_federation.binder.errors import NotAuthorized
from binder_federation.config.admin import FULL_NAME, AdminSettings, Scope


class AdminTokenExpired(NotAuthorized):
    """The token was a good one once."""

    code = "admin_token_expired"


@dataclass(frozen=True, slots=True)
class AdminIdentity:
    """Who calls, and what that token allows."""

    name: str
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class _Known:
    identity: AdminIdentity
    digest: bytes
    expires_at: float | None


class AdminTokens:
    """The admin tokens of the settings."""

    def __init__(self, settings: AdminSettings) -> None:
        self._known = tuple(_read(settings))

    def __bool__(self) -> bool:
        return bool(self._known)

    def find(self, given: str, *, now: float) -> AdminIdentity | None:
        """Whose token `given` is, at `now` (seconds since the epoch); None if it is nobody's.

        Raises `AdminTokenExpired` for one whose time is over.
        """
        digest = sha256(given.encode()).digest()
        found: _Known | None = None
        for known in self._known:
            if hmac.compare_digest(known.digest, digest):
                found = known
        if found is None:
            return None
        if found.expires_at is not None and now >= found.expires_at:
            raise AdminTokenExpired(
                f"The admin token of {found.identity.name} has expired.",
                advice="Ask for a new one (admin.tokens in the federation's settings).",
            )
        return found.identity


def _read(settings: AdminSettings) -> Iterator[_Known]:
    if settings.token is not None:
        everything = AdminIdentity(FULL_NAME, frozenset(Scope))
        yield _Known(everything, _digest(settings.token.get_secret_value()), None)
    for each in settings.tokens:
        digest = (
            bytes.fromhex(each.token_sha256)
            if each.token_sha256
            else _digest(each.token.get_secret_value() if each.token else "")
        )
        expires_at = each.expires.timestamp() if each.expires else None
        yield _Known(AdminIdentity(each.name, each.scopes), digest, expires_at)


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
