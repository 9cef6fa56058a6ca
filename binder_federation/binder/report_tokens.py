"""Signatures of what members send: a report is its member's own, unchanged, and of now.

HS256 JSON web tokens (RFC 7519) in the header `Authorization: Bearer …`, signed with the
member's credential, which itself is never sent. A token covers the SHA-256 of the body, so
that it cannot be put on another one; the report's session and sequence are in it as well, and
the federation takes each of them once (`federation/replays.py`).

Requests about joining are signed in the same way, for one method and path. They change
nothing when they are sent twice.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

import jwt

from binder_federation.binder.errors import NotAuthorized

LIFETIME_SECONDS = 60
CLOCK_SECONDS = 60.0
"""Two clocks may differ by so much."""
REPORT_AUDIENCE = "binderfed-report"
REQUEST_AUDIENCE = "binderfed-join"
_ALGORITHM = "HS256"
_SHAPE = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


class ClockOff(NotAuthorized):
    """The member's clock and ours differ too much to tell whether a signature is of now."""

    code = "clock_off"


@dataclass(frozen=True, slots=True)
class ReportClaims:
    """What a signature says."""

    member: str
    generation: int
    """Of the credential; 0 for one from the federation's settings."""
    session: str = ""
    sequence: int = 0
    body_sha256: str = field(default="", compare=False)
    """Of the report that it signs, in hexadecimal."""

    def check_body(self, body: bytes) -> None:
        """Raises `NotAuthorized` when it signs another report than this."""
        if self.body_sha256 != hashlib.sha256(body).hexdigest():
            raise NotAuthorized("The signature is for another report.")


def sign_report(
    credential: str,
    *,
    member: str,
    session: str,
    sequence: int,
    body: bytes,
    now: float,
    generation: int = 0,
) -> str:
    """The token for a report with this body; `now` in seconds since 1970."""
    return _sign(
        credential,
        {
            "aud": REPORT_AUDIENCE,
            "sub": member,
            "gen": generation,
            "sha256": hashlib.sha256(body).hexdigest(),
            "sid": session,
            "seq": sequence,
        },
        now,
    )


def verify_report(credential: str, token: str, *, now: float) -> ReportClaims:
    """What the token says, before its report is read: `check_body` looks at that.

    Raises `NotAuthorized` when it is forged, `ClockOff` when it is not of now.
    """
    return _read(_verify(credential, token, REPORT_AUDIENCE, now))


def sign_request(
    credential: str, *, member: str, method: str, path: str, now: float, generation: int = 0
) -> str:
    """The token for one request about joining, such as `GET /api/join/checks`."""
    claims = {"aud": REQUEST_AUDIENCE, "sub": member, "gen": generation, "req": f"{method} {path}"}
    return _sign(credential, claims, now)


def verify_request(
    credential: str, token: str, *, method: str, path: str, now: float
) -> ReportClaims:
    """What the token says; errors as of `verify_report`."""
    claims = _verify(credential, token, REQUEST_AUDIENCE, now)
    if claims.get("req") != f"{method} {path}":
        raise NotAuthorized("The signature is for another request.")
    return _read(claims)


def is_signature(bearer: str) -> bool:
    """Whether this has the shape of a token, and is not a bare credential."""
    return _SHAPE.fullmatch(bearer) is not None


def peek(token: str) -> ReportClaims:
    """Who the token says it is from, before anything is verified: to find the credential."""
    try:
        return _read(jwt.decode(token, options={"verify_signature": False}))
    except jwt.PyJWTError as error:
        raise NotAuthorized("The signature cannot be read.") from error


def _sign(credential: str, claims: dict[str, Any], now: float) -> str:
    issued_at = int(now)
    timed = {**claims, "iat": issued_at, "exp": issued_at + LIFETIME_SECONDS}
    return jwt.encode(timed, _signing_key(credential), algorithm=_ALGORITHM)


def _verify(credential: str, token: str, audience: str, now: float) -> dict[str, Any]:
    try:
        claims = jwt.decode(
            token,
            _signing_key(credential),
            algorithms=[_ALGORITHM],
            audience=audience,
            # Below, against `now`: so that it can be told by how much a clock is off.
            options={
                "require": ["aud", "sub", "iat", "exp"],
                "verify_exp": False,
                "verify_iat": False,
            },
        )
    except jwt.PyJWTError as error:
        raise NotAuthorized(
            "The signature is not this member's.",
            advice="Check the agent's name and credential against the federation's settings.",
        ) from error
    _check_time(claims["iat"], now)
    return claims


def _check_time(issued_at: object, now: float) -> None:
    if not isinstance(issued_at, int | float) or isinstance(issued_at, bool):
        raise NotAuthorized("The signature does not say when it was made.")
    off = issued_at - now
    if abs(off) <= CLOCK_SECONDS:
        return
    direction = "ahead of" if off > 0 else "behind"
    raise ClockOff(
        f"The agent's clock is {_span(abs(off))} {direction} the federation's.",
        advice="Let the machine keep time by NTP (timedatectl set-ntp true).",
    )


def _span(seconds: float) -> str:
    if seconds < 7200:
        return f"{seconds:.0f} seconds"
    if seconds < 172_800:
        return f"{seconds / 3600:.0f} hours"
    return f"{seconds / 86_400:.0f} days" if seconds < 1e9 else "many years"


def _read(claims: dict[str, Any]) -> ReportClaims:
    member, generation = claims.get("sub"), claims.get("gen", 0)
    session, sequence = claims.get("sid", ""), claims.get("seq", 0)
    body_sha256 = claims.get("sha256", "")
    is_plain = (
        isinstance(member, str)
        and isinstance(session, str)
        and isinstance(body_sha256, str)
        and type(generation) is int
        and type(sequence) is int
    )
    if not is_plain:
        raise NotAuthorized("The signature does not say whose it is.")
    return ReportClaims(str(member), generation, str(session), sequence, str(body_sha256))


def _signing_key(credential: str) -> bytes:
    """Another key than that of build tokens: none can stand for the other."""
    return hashlib.sha256(b"binderfed report\0" + credential.encode()).digest()
