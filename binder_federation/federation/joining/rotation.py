"""A member's credential is replaced. Pure: a steering document in, the next one out.

The next generation goes to the agent in the answer to a signed report. Until the agent has
used it both are taken, and build tokens are signed with the one that the agent surely has.
"""

from binder_federation.federation.core.steering import is_revoked
from binder_federation.federation.joining.errors import NotJoined, RotationPending
from binder_federation.federation.steering.document import JoinedMember, SteeringDocument


def rotate(
    document: SteeringDocument, name: str, *, now: float, grace_seconds: float
) -> SteeringDocument:
    """The document with the next generation; the one of before is taken for `grace_seconds`.

    Raises `NotJoined` and `RotationPending`.
    """
    member = find_joined(document, name, now)
    if is_pending(member, now):
        raise RotationPending(
            f"The credential of {name} is being replaced already.",
            advice="It is done with the agent's next report; revoke the member if it must not be "
            "taken any more.",
        )
    generation = member.generation + 1
    changes = {"generation": generation, "old_generation_until": now + grace_seconds}
    return document.with_joined(member.model_copy(update=changes))


def confirm(document: SteeringDocument, name: str, generation: int) -> SteeringDocument:
    """The agent has used this generation: the one before it is over."""
    member = document.joined.get(name)
    if member is None or member.generation != generation:
        return document
    return document.with_joined(member.model_copy(update={"old_generation_until": None}))


def is_pending(member: JoinedMember, now: float) -> bool:
    """Whether the agent has still to begin with its new credential."""
    return member.old_generation_until is not None and now < member.old_generation_until


def find_joined(document: SteeringDocument, name: str, now: float) -> JoinedMember:
    """The member of that name that joined. Raises `NotJoined`."""
    member = document.joined.get(name)
    if member is None or is_revoked(document, name, now):
        raise NotJoined(
            f"{name} did not join by invitation.",
            advice="The credential of a member of the settings is replaced there (docs/limits.md).",
        )
    return member
