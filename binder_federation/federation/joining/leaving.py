"""A member's institution takes it out: drained at once, gone when its sessions have ended.

Pure: a steering document in, the next one out.
"""

from binder_federation.federation.joining.rotation import find_joined
from binder_federation.federation.steering.document import DrainOrder, SteeringDocument, Word

REASON = "Its institution takes it out of the federation."


def begin_to_leave(document: SteeringDocument, name: str, *, now: float) -> SteeringDocument:
    """The document in which the member is drained. Raises `NotJoined`."""
    member = find_joined(document, name, now)
    if member.leaving_since is not None:
        return document
    word = Word(by=name, at=now, reason=REASON)
    return document.with_orders(name, drain=DrainOrder(word=word, is_draining=True)).with_joined(
        member.model_copy(update={"leaving_since": now})
    )


def has_left(document: SteeringDocument, name: str, *, now: float) -> SteeringDocument:
    """The document in which it is no member any more."""
    member = document.joined.get(name)
    if member is None or member.leaving_since is None:
        return document
    word = Word(by=name, at=now, reason=REASON)
    return document.with_orders(name, weight=None, drain=None, revoked=word)


def is_leaving(document: SteeringDocument, name: str) -> bool:
    """Whether it is on its way out."""
    member = document.joined.get(name)
    return member is not None and member.leaving_since is not None
