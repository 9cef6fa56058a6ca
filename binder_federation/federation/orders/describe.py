"""What is in force, as the admin API tells it: live orders beside the settings' values."""

from typing import Any

from binder_federation.federation.core.steering import (
    holds_drain,
    holds_weight,
    is_revoked,
    weight_in_force,
)
from binder_federation.federation.orders.subjects import Configured, Subject, all_subjects
from binder_federation.federation.steering.document import (
    BanOrder,
    DrainOrder,
    Invitation,
    QuotaOrder,
    SteeringDocument,
    WeightOrder,
    Word,
)


def describe_steering(
    configured: Configured, document: SteeringDocument, now: float
) -> dict[str, Any]:
    """Everything: all members, and every order that has not ended."""
    return {
        "revision": document.revision,
        "members": [
            describe_member(document, subject, now)
            for subject in all_subjects(configured, document)
        ],
        "bans": describe_bans(document, now),
        "quotas": describe_quotas(document, now),
    }


def describe_member(document: SteeringDocument, subject: Subject, now: float) -> dict[str, Any]:
    """One member: what is usual, what was ordered, what holds at `now`."""
    orders = document.orders(subject.name)
    drain = orders.drain
    is_drain_held = drain is not None and holds_drain(drain, subject.is_draining, now)
    weight = weight_in_force(orders.weight, subject.weight, now, is_set=subject.is_set)
    return {
        "name": subject.name,
        "source": "settings" if subject.is_set else "joined",
        "usual": {"weight": subject.weight, "draining": subject.is_draining},
        "weight": _weight(orders.weight, subject, now),
        "drain": _drain(drain) if drain and is_drain_held else None,
        "revoked": _word(orders.revoked) if is_revoked(document, subject.name, now) else None,
        "in_force": {
            "weight": round(weight, 3),
            "draining": drain.is_draining if drain and is_drain_held else subject.is_draining,
            "revoked": is_revoked(document, subject.name, now),
        },
    }


def describe_bans(document: SteeringDocument, now: float) -> list[dict[str, Any]]:
    """The live bans."""
    return [describe_ban(ban) for ban in document.bans.values() if not ban.word.is_over(now)]


def describe_ban(ban: BanOrder) -> dict[str, Any]:
    """One of them."""
    told = ban.model_dump(include={"id", "network", "label", "pattern", "message"})
    return {**{name: value for name, value in told.items() if value}, **_word(ban.word)}


def describe_quotas(document: SteeringDocument, now: float) -> list[dict[str, Any]]:
    """The live quotas, also those that have not begun."""
    return [
        describe_quota(quota) for quota in document.quotas.values() if not quota.word.is_over(now)
    ]


def describe_quota(quota: QuotaOrder) -> dict[str, Any]:
    """One of them."""
    return {
        "id": quota.id,
        "pattern": quota.pattern,
        "sessions": quota.sessions,
        "scope": quota.scope.value,
        "from": quota.begins_at,
        **_word(quota.word),
        "until": quota.ends_at,
    }


def describe_invitation(invitation: Invitation, now: float) -> dict[str, Any]:
    """An invitation without its token, and how it stands at `now`."""
    told = invitation.model_dump(
        include={"id", "name", "weight", "created_at", "expires_at", "by", "used_at", "revoked_at"}
    )
    return {**told, "state": _state(invitation, now)}


def _state(invitation: Invitation, now: float) -> str:
    if invitation.used_at is not None:
        return "used"
    if invitation.revoked_at is not None:
        return "revoked"
    return "expired" if now >= invitation.expires_at else "open"


def _weight(order: WeightOrder | None, subject: Subject, now: float) -> dict[str, Any] | None:
    if order is None or not holds_weight(order, subject.weight, now, is_set=subject.is_set):
        return None
    told = {"weight": order.weight, **_word(order.word)}
    if not order.is_ramp:
        return told
    ramp = {"from": order.from_weight, "begins_at": order.begins_at, "ends_at": order.ends_at}
    return {**told, "ramp": ramp}


def _drain(order: DrainOrder) -> dict[str, Any]:
    return {"draining": order.is_draining, **_word(order.word)}


def _word(word: Word | None) -> dict[str, Any]:
    if word is None:
        return {}
    return {"by": word.by, "at": round(word.at, 3), "reason": word.reason, "until": word.until}
