"""Whose is this request? A member's signature is looked at with the credentials that it has.

A member that joined always signs. One of the settings may still send its credential itself, as
agents did before there were signatures.
"""

from collections.abc import Callable

from aiohttp import web

from binder_federation.binder.errors import NotAuthorized
from binder_federation.binder.report_tokens import (
    ClockOff,
    ReportClaims,
    is_signature,
    peek,
    verify_report,
    verify_request,
)
from binder_federation.federation.roster import Member, MemberRevoked, Roster

Verify = Callable[[str, str], ReportClaims]
"""Takes a credential and a token."""


def read_bearer(request: web.Request) -> str:
    """What the request brings to prove whose it is. Raises `NotAuthorized` if it is nothing."""
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not bearer.strip():
        raise NotAuthorized(
            "A report needs the member's credential.",
            advice="Send it in the header Authorization: Bearer ….",
        )
    return bearer.strip()


def authenticate_report(
    roster: Roster, name: str, bearer: str, *, now: float
) -> tuple[Member, ReportClaims | None]:
    """The member `name`, whose report this is, and what its signature says; None without one.

    The head is enough for it: nobody else's report is read. Whether the signature is of this
    report is for `ReportClaims.check_body`. Raises `NotAuthorized`, `ClockOff`, `MemberRevoked`.
    """
    if is_signature(bearer):
        return _find_signer(
            roster, name, bearer, lambda key, token: verify_report(key, token, now=now)
        )
    member = roster.authenticate(name, bearer)
    if member.is_joined:
        raise NotAuthorized("A member that joined signs its reports.")
    return member, None


def authenticate_request(roster: Roster, request: web.Request, *, now: float) -> Member:
    """The member that signed this request about joining. Errors as above."""
    bearer = read_bearer(request)

    def verify(credential: str, token: str) -> ReportClaims:
        return verify_request(credential, token, method=request.method, path=request.path, now=now)

    return _find_signer(roster, peek(bearer).member, bearer, verify)[0]


def _find_signer(
    roster: Roster, name: str, token: str, verify: Verify
) -> tuple[Member, ReportClaims]:
    member = roster.get(name) or roster.get_revoked(name)
    claims = _try_each(member, token, verify)
    if member is None or claims is None or claims.member != name:
        raise NotAuthorized(
            "The signature is not this member's.",
            advice="Check the agent's name and credential against the federation's settings.",
        )
    if roster.get(name) is None:
        raise MemberRevoked(
            f"{name} is not a member of this federation any more.",
            advice="Ask the federation's operators for a new invitation.",
        )
    return member, claims


def _try_each(member: Member | None, token: str, verify: Verify) -> ReportClaims | None:
    if member is None or not member.credential:
        return None
    for credential in (member.credential, *member.old_credentials):
        try:
            return verify(credential, token)
        except ClockOff:
            raise  # the signature itself is this member's
        except NotAuthorized:
            continue
    return None
