"""What the live orders mean together with the settings. Pure: all replicas agree.

The rule (docs/decisions/0023-git-and-live-changes.md): the settings say who is there and
the usual values. A live order holds over the setting that it was given for, for as long as
that setting has the value which the order replaced and the order has not expired.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from binder_federation.federation.core.member import Member
from binder_federation.federation.steering.document import (
    DrainOrder,
    JoinedMember,
    MemberOrders,
    SteeringDocument,
    WeightOrder,
    Word,
)

Entry = TypeVar("Entry")

CredentialOf = Callable[[str, int], str]
"""Derives a joined member's credential from its name and its generation."""

INVITATIONS_KEPT_SECONDS = 30 * 86_400.0
"""One that is over is still listed for so long."""
RAMP_FLOOR = 0.01
"""The share of its last weight that a ramp never goes below: a weight is more than nothing."""


def effective(
    configured: Iterable[Member],
    document: SteeringDocument,
    now: float,
    *,
    credential_of: CredentialOf,
) -> tuple[Member, ...]:
    """The members of now: those of the settings, then those who joined, without the revoked.

    `configured` are the settings' members. One of them keeps its name against a member that
    joined under the same one.
    """
    return tuple(
        _ordered(member, document.orders(member.name), now)
        for member in _everybody(configured, document, now, credential_of, are_revoked=False)
    )


def revoked(
    configured: Iterable[Member],
    document: SteeringDocument,
    now: float,
    *,
    credential_of: CredentialOf,
) -> tuple[Member, ...]:
    """Those who are members no more: they are told so when they bring their credential."""
    return tuple(_everybody(configured, document, now, credential_of, are_revoked=True))


def is_revoked(document: SteeringDocument, name: str, now: float) -> bool:
    """Whether operators took the membership away."""
    word = document.orders(name).revoked
    return word is not None and not word.is_over(now)


def weight_in_force(order: WeightOrder | None, usual: float, now: float, *, is_set: bool) -> float:
    """The weight at `now`. `usual` is the settings', if `is_set`, else the invitation's."""
    if order is None or not holds_weight(order, usual, now, is_set=is_set):
        return usual
    if order.from_weight is None or order.begins_at is None or order.ends_at is None:
        return order.weight
    seconds = order.ends_at - order.begins_at
    share = 1.0 if seconds <= 0 else min(1.0, max(0.0, (now - order.begins_at) / seconds))
    if share == 1.0:
        return order.weight
    weight = order.from_weight + share * (order.weight - order.from_weight)
    return max(weight, RAMP_FLOOR * order.weight)


def holds_weight(order: WeightOrder, usual: float, now: float, *, is_set: bool) -> bool:
    """Whether the order has neither expired nor been overtaken by the settings."""
    return not order.word.is_over(now) and not _is_overtaken(order, usual, is_set=is_set)


def holds_drain(order: DrainOrder, usual: bool, now: float) -> bool:
    """The same for a drain; `usual` is what the settings say."""
    return not order.word.is_over(now) and order.over is usual


def without_expired(document: SteeringDocument, now: float) -> SteeringDocument:
    """The document without what time has ended."""
    members = {name: _orders_left(orders, now) for name, orders in document.members.items()}
    return document.model_copy(
        update={
            "members": _select(members, lambda orders: not orders.is_empty),
            "invitations": _select(
                document.invitations,
                lambda each: now < each.expires_at + INVITATIONS_KEPT_SECONDS,
            ),
            "bans": _select(document.bans, lambda ban: not ban.word.is_over(now)),
            "quotas": _select(document.quotas, lambda quota: not quota.word.is_over(now)),
        }
    )


def without_overtaken(
    document: SteeringDocument, configured: Iterable[Member]
) -> tuple[SteeringDocument, tuple[str, ...]]:
    """The document without the orders whose settings have changed since, and whose they were.

    Taken out they cannot come back when the settings do.
    """
    members, overtaken = dict(document.members), []
    for member in configured:
        orders = members.get(member.name)
        if orders is None:
            continue
        left = _orders_not_overtaken(orders, member)
        if left == orders:
            continue
        overtaken.append(member.name)
        members[member.name] = left
    kept = _select(members, lambda orders: not orders.is_empty)
    return document.model_copy(update={"members": kept}), tuple(overtaken)


def changes_by_time(document: SteeringDocument, *, since: float, now: float) -> bool:
    """Whether what is in force at `now` differs from that of `since`, by time alone."""
    if any(since < moment <= now for moment in _moments(document)):
        return True
    return any(_moves(orders.weight, since, now) for orders in document.members.values())


def _everybody(
    configured: Iterable[Member],
    document: SteeringDocument,
    now: float,
    credential_of: CredentialOf,
    *,
    are_revoked: bool,
) -> Iterator[Member]:
    names = set()
    for member in configured:
        names.add(member.name)
        if is_revoked(document, member.name, now) is are_revoked:
            yield member
    for name, joined in document.joined.items():
        if name not in names and is_revoked(document, name, now) is are_revoked:
            yield _as_member(joined, now, credential_of)


def _as_member(joined: JoinedMember, now: float, credential_of: CredentialOf) -> Member:
    old: tuple[str, ...] = ()
    credential = credential_of(joined.name, joined.generation)
    until = joined.old_generation_until
    if joined.generation > 1 and until is not None and now < until:
        # It may not have the new one yet, and we sign with what it surely has.
        credential, old = credential_of(joined.name, joined.generation - 1), (credential,)
    return Member(
        name=joined.name,
        url=joined.url,
        public_url=joined.public_url or joined.url,
        weight=joined.weight,
        is_draining=False,
        credential=credential,
        old_credentials=old,
        generation=joined.generation,
        is_joining=joined.admitted_at is None,
        admitted_at=joined.admitted_at,
    )


def _ordered(member: Member, orders: MemberOrders, now: float) -> Member:
    if orders.is_empty:
        return member
    is_set = not member.is_joined
    weight = weight_in_force(orders.weight, member.weight, now, is_set=is_set)
    drain = orders.drain
    if drain is None or not holds_drain(drain, member.is_draining, now):
        return replace(member, weight=weight)
    return replace(
        member, weight=weight, is_draining=drain.is_draining, drain_reason=drain.word.reason
    )


def _is_overtaken(order: WeightOrder, usual: float, *, is_set: bool) -> bool:
    return is_set and order.over is not None and order.over != usual


def _orders_left(orders: MemberOrders, now: float) -> MemberOrders:
    weight, drain, word = orders.weight, orders.drain, orders.revoked
    return orders.model_copy(
        update={
            "weight": None if weight and weight.word.is_over(now) else weight,
            "drain": None if drain and drain.word.is_over(now) else drain,
            "revoked": None if word and word.is_over(now) else word,
        }
    )


def _orders_not_overtaken(orders: MemberOrders, member: Member) -> MemberOrders:
    weight, drain = orders.weight, orders.drain
    if weight is not None and _is_overtaken(weight, member.weight, is_set=True):
        weight = None
    if drain is not None and drain.over is not member.is_draining:
        drain = None
    return orders.model_copy(update={"weight": weight, "drain": drain})


def _moments(document: SteeringDocument) -> Iterator[float]:
    """When something ends."""
    for word in _words(document):
        if word.until is not None:
            yield word.until
    for joined in document.joined.values():
        if joined.old_generation_until is not None:
            yield joined.old_generation_until


def _words(document: SteeringDocument) -> Iterator[Word]:
    for orders in document.members.values():
        if orders.weight is not None:
            yield orders.weight.word
        if orders.drain is not None:
            yield orders.drain.word
        if orders.revoked is not None:
            yield orders.revoked
    yield from (ban.word for ban in document.bans.values())
    yield from (quota.word for quota in document.quotas.values())


def _moves(order: WeightOrder | None, since: float, now: float) -> bool:
    if order is None or not order.is_ramp or order.begins_at is None or order.ends_at is None:
        return False
    return order.begins_at < now and since < order.ends_at


def _select(entries: Mapping[str, Entry], is_kept: Callable[[Entry], bool]) -> dict[str, Entry]:
    return {name: entry for name, entry in entries.items() if is_kept(entry)}
