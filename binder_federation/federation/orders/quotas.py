"""Quotas of repositories for an event, given live: how many sessions, from when until when."""

from binder_federation.federation.orders.errors import InvalidOrder, OrderUnknown
from binder_federation.federation.steering.document import QuotaOrder, SteeringDocument


def check_window(begins_at: float | None, ends_at: float | None, now: float) -> None:
    """Raises `InvalidOrder` for a time that is over, or that ends before it begins."""
    if ends_at is None:
        return
    if ends_at <= now:
        raise InvalidOrder("The end of this quota has passed already.")
    if begins_at is not None and ends_at <= begins_at:
        raise InvalidOrder("This quota would end before it begins.")


def find_same_quota(document: SteeringDocument, order: QuotaOrder) -> str:
    """The id of the quota of the same pattern, scope and beginning; empty if there is none."""
    for quota in document.quotas.values():
        if _what(quota) == _what(order):
            return quota.id
    return ""


def set_quota(document: SteeringDocument, order: QuotaOrder) -> SteeringDocument:
    """The document with this quota, instead of one of the same pattern, scope and beginning."""
    same = find_same_quota(document, order)
    return document.with_quota(order.model_copy(update={"id": same or order.id}))


def end_quota(document: SteeringDocument, quota_id: str) -> SteeringDocument:
    """The document without it. Raises `OrderUnknown`."""
    if quota_id not in document.quotas:
        raise OrderUnknown(
            f"There is no quota with the id {quota_id[:40]!r}.",
            advice="`binderfed steering` shows those in force. Those of the settings and of the "
            "policy file are taken out there.",
        )
    return document.without_quota(quota_id)


def _what(quota: QuotaOrder) -> tuple[object, ...]:
    return quota.pattern, quota.scope, quota.begins_at
