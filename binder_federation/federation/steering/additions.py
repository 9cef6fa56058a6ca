"""What live orders add to the policy of the settings: bans and quotas of events.

The order of words: settings, then the policy file, then live orders. A live ban comes before
the others, so that its message is shown; a live quota after them, as the last that matches
counts.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from binder_federation.config.policy import PolicySettings, RepositoryQuota, SpecBan
from binder_federation.federation.steering.document import QuotaOrder, SteeringDocument


class EventQuota(RepositoryQuota):
    """A quota by a live order, which has an id."""

    id: str

    @property
    def label(self) -> str:
        """What metrics call it."""
        return self.id


@dataclass(frozen=True, slots=True)
class Additions:
    """The bans and quotas that live orders add."""

    networks: tuple[tuple[str, str], ...] = ()
    specs: tuple[SpecBan, ...] = ()
    quotas: tuple[RepositoryQuota, ...] = ()

    def over(self, policy: PolicySettings) -> PolicySettings:
        """The policy with these."""
        if self == NOTHING_ADDED:
            return policy
        quotas = policy.quotas
        return policy.model_copy(
            update={
                "banned_networks": {**policy.banned_networks, **dict(self.networks)},
                "banned_specs": (*self.specs, *policy.banned_specs),
                "quotas": quotas.model_copy(update={"patterns": (*quotas.patterns, *self.quotas)}),
            }
        )


NOTHING_ADDED = Additions()


def find_additions(document: SteeringDocument, now: float) -> Additions:
    """What holds at `now`; what has expired does not."""
    bans = [ban for ban in document.bans.values() if not ban.word.is_over(now)]
    return Additions(
        networks=tuple((ban.network, ban.label) for ban in bans if ban.network),
        specs=tuple(
            SpecBan(pattern=ban.pattern, message=ban.message) for ban in bans if ban.pattern
        ),
        quotas=tuple(
            _as_quota(quota) for quota in document.quotas.values() if not quota.word.is_over(now)
        ),
    )


def _as_quota(order: QuotaOrder) -> RepositoryQuota:
    return EventQuota(
        id=order.id,
        pattern=order.pattern,
        sessions=order.sessions,
        scope=order.scope,
        begins_at=_moment(order.begins_at),
        ends_at=_moment(order.ends_at),
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
