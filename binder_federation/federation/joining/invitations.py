"""Invitations: made and taken back by operators. Pure: a steering document in, the next one out.

The token is told once, to the operator who makes the invitation; kept is only a hash of its
secret. `exchange.py` has what comes of it.
"""

import secrets

from binder_federation.binder.joining import hash_secret, make_token
from binder_federation.federation.core.steering import is_revoked
from binder_federation.federation.joining.errors import InvitationUnknown, MemberExists
from binder_federation.federation.steering.audit import Actor
from binder_federation.federation.steering.document import Invitation, SteeringDocument

SECRET_BYTES = 32


def make_invitation(
    document: SteeringDocument,
    name: str,
    weight: float,
    lifetime_seconds: float,
    actor: Actor,
    now: float,
) -> tuple[SteeringDocument, str]:
    """The document with an invitation to become `name`, and its token.

    Raises `MemberExists` when a member that joined has the name. (Whether the settings have it is
    for the caller to see.) An earlier invitation of the name that nobody used is taken back.
    """
    if name in document.joined and not is_revoked(document, name, now):
        raise MemberExists(
            f"{name} is a member already.", advice="Revoke it first, or take another name."
        )
    secret = secrets.token_urlsafe(SECRET_BYTES)
    invitation = Invitation(
        id=f"{name[:30].rstrip('-')}-{secrets.token_hex(4)}",
        name=name,
        weight=weight,
        token_sha256=hash_secret(secret),
        created_at=now,
        expires_at=now + lifetime_seconds,
        by=actor.name,
    )
    for earlier in document.invitations.values():
        if earlier.name == name and is_open(earlier, now):
            document = revoke_invitation(document, earlier.id, now)
    return document.with_invitation(invitation), make_token(invitation.id, secret)


def revoke_invitation(
    document: SteeringDocument, invitation_id: str, now: float
) -> SteeringDocument:
    """The document in which nobody can use the invitation. Raises `InvitationUnknown`.

    A member that has joined by it stays one.
    """
    invitation = document.invitations.get(invitation_id)
    if invitation is None:
        raise InvitationUnknown(f"There is no invitation with the id {invitation_id[:60]!r}.")
    if invitation.revoked_at is not None:
        return document
    return document.with_invitation(invitation.model_copy(update={"revoked_at": now}))


def is_open(invitation: Invitation, now: float) -> bool:
    """Whether somebody may still join by it."""
    is_unused = invitation.used_at is None and invitation.revoked_at is None
    return is_unused and now < invitation.expires_at
