"""An invitation's token becomes a member, once. Pure: a steering document in, the next one out.

The same agent may ask again for ten minutes (`binder/joining.py`): it gets the same answer.
Whoever joins anew under a name that was revoked gets the next generation of its credential.
"""

import hmac
from collections.abc import Mapping
from typing import NamedTuple

from binder_federation.binder.joining import (
    RETRY_SECONDS,
    InvitationNotValid,
    JoinRequest,
    hash_secret,
    split_token,
)
from binder_federation.federation.core.steering import is_revoked
from binder_federation.federation.joining.errors import AddressTaken, MemberExists
from binder_federation.federation.steering.document import (
    Invitation,
    JoinedMember,
    SteeringDocument,
)


class Exchange(NamedTuple):
    """The document after it, the member that joined, and whether it had before."""

    document: SteeringDocument
    member: JoinedMember
    is_repeated: bool = False


def exchange(
    document: SteeringDocument,
    request: JoinRequest,
    *,
    configured: Mapping[str, str],
    now: float,
) -> Exchange:
    """What becomes of the request; `configured` are the settings' members, name to URL.

    Raises `InvitationNotValid`, `MemberExists`, `AddressTaken`.
    """
    invitation = _find(document, request)
    if invitation.used_at is not None:
        return Exchange(document, _repeat(document, invitation, request, now), is_repeated=True)
    _check_open(invitation, now)
    _check_name(document, invitation.name, configured, now)
    _check_address(document, invitation.name, request.url, configured, now)
    before = document.joined.get(invitation.name)
    member = JoinedMember(
        name=invitation.name,
        url=request.url,
        public_url=request.public_url or "",
        weight=invitation.weight,
        invited_as=invitation.id,
        joined_at=now,
        generation=before.generation + 1 if before else 1,
        agent_id=request.agent_id,
    )
    changed = (
        document.with_joined(member)
        .with_orders(member.name, weight=None, drain=None, revoked=None)
        .with_invitation(invitation.model_copy(update={"used_at": now}))
    )
    return Exchange(changed, member)


def _find(document: SteeringDocument, request: JoinRequest) -> Invitation:
    """Of an invitation nothing is told to those who do not have its secret."""
    invitation_id, secret = split_token(request.token.get_secret_value())
    invitation = document.invitations.get(invitation_id)
    expected = invitation.token_sha256 if invitation else ""
    if not hmac.compare_digest(expected, hash_secret(secret)) or invitation is None:
        raise InvitationNotValid(
            "This federation knows of no such invitation.",
            advice="Check that the token is complete and the address is the inviting one's.",
        )
    return invitation


def _check_open(invitation: Invitation, now: float) -> None:
    advice = "Ask the federation's operators for a new one."
    if invitation.revoked_at is not None:
        raise InvitationNotValid("This invitation was taken back.", advice=advice)
    if now >= invitation.expires_at:
        raise InvitationNotValid("This invitation has expired.", advice=advice)


def _repeat(
    document: SteeringDocument, invitation: Invitation, request: JoinRequest, now: float
) -> JoinedMember:
    member = document.joined.get(invitation.name)
    is_same = (
        member is not None
        and member.invited_as == invitation.id
        and hmac.compare_digest(member.agent_id, request.agent_id)
        and not is_revoked(document, invitation.name, now)
        and now < (invitation.used_at or 0.0) + RETRY_SECONDS
    )
    if member is None or not is_same:
        raise InvitationNotValid(
            "This invitation was used already.",
            advice="An agent that joined keeps its membership; another one needs another "
            "invitation.",
        )
    return member


def _check_name(
    document: SteeringDocument, name: str, configured: Mapping[str, str], now: float
) -> None:
    if name in configured or (name in document.joined and not is_revoked(document, name, now)):
        raise MemberExists(
            f"There is a member of the name {name} already.",
            advice="Ask the federation's operators for an invitation with another name.",
        )


def _check_address(
    document: SteeringDocument, name: str, url: str, configured: Mapping[str, str], now: float
) -> None:
    """Two members at one address would be one agent that is counted twice."""
    others = dict(configured)
    for member in document.joined.values():
        if member.name != name and not is_revoked(document, member.name, now):
            others[member.name] = member.url
    if url in others.values():
        raise AddressTaken(
            f"Another member has the address {url}.",
            advice="Give the address at which the federation reaches this agent.",
        )
