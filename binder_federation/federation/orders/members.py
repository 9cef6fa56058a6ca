"""Orders about one member: weight, ramp, drain, revoke.

Each function takes the document and the member (`Subject`) and returns the next document.
Times are seconds since the epoch.
"""

from binder_federation.federation.core.steering import is_revoked, weight_in_force
from binder_federation.federation.orders.errors import OrderConflict
from binder_federation.federation.orders.subjects import Subject
from binder_federation.federation.steering.document import (
    DrainOrder,
    SteeringDocument,
    WeightOrder,
    Word,
)


def set_weight(
    document: SteeringDocument, subject: Subject, weight: float, word: Word
) -> SteeringDocument:
    """Another weight at once, and the end of a ramp."""
    order = WeightOrder(word=word, weight=weight, over=_usual_weight(subject))
    return document.with_orders(subject.name, weight=order)


def ramp(
    document: SteeringDocument,
    subject: Subject,
    weight: float,
    word: Word,
    *,
    over_seconds: float,
    from_weight: float | None = None,
) -> SteeringDocument:
    """A weight that is reached in `over_seconds`, from `from_weight` or from the one of now."""
    begins_at = word.at
    if from_weight is None:
        from_weight = weight_in_force(
            document.orders(subject.name).weight, subject.weight, begins_at, is_set=subject.is_set
        )
    order = WeightOrder(
        word=word,
        weight=weight,
        over=_usual_weight(subject),
        from_weight=from_weight,
        begins_at=begins_at,
        ends_at=begins_at + over_seconds,
    )
    return document.with_orders(subject.name, weight=order)


def end_weight(document: SteeringDocument, subject: Subject) -> SteeringDocument:
    """The settings' weight, or the invitation's, again."""
    return document.with_orders(subject.name, weight=None)


def drain(document: SteeringDocument, subject: Subject, word: Word) -> SteeringDocument:
    """No new launches; running sessions stay."""
    order = DrainOrder(word=word, is_draining=True, over=subject.is_draining)
    return document.with_orders(subject.name, drain=order)


def undrain(document: SteeringDocument, subject: Subject, word: Word) -> SteeringDocument:
    """Launches again, also where the settings say `draining: true`."""
    if not subject.is_draining:
        return document.with_orders(subject.name, drain=None)
    order = DrainOrder(word=word, is_draining=False, over=True)
    return document.with_orders(subject.name, drain=order)


def revoke(document: SteeringDocument, subject: Subject, word: Word) -> SteeringDocument:
    """No member any more: no launches, and its reports are refused."""
    return document.with_orders(subject.name, weight=None, drain=None, revoked=word)


def restore(document: SteeringDocument, subject: Subject, now: float) -> SteeringDocument:
    """A settings' member again. Raises `OrderConflict` for one that joined, or is there."""
    if not is_revoked(document, subject.name, now):
        raise OrderConflict(f"{subject.name} was not revoked.")
    if not subject.is_set:
        raise OrderConflict(
            f"{subject.name} came by invitation: its credential is never taken again.",
            advice=f"Invite it anew: binderfed invite --name {subject.name}",
        )
    return document.with_orders(subject.name, revoked=None)


def _usual_weight(subject: Subject) -> float | None:
    return subject.weight if subject.is_set else None
