"""The policy that is in force, in the form in which it is asked: compiled once, swapped whole."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from binder_federation.binder.bans import Bans, make_member_policy
from binder_federation.binder.messages import MemberPolicy, SpecBanRecord
from binder_federation.binder.visitor_addresses import AddressSet
from binder_federation.config.policy import (
    FederationQuotas,
    PolicySettings,
    QuotaScope,
    RateLimit,
    RepositoryQuota,
)
from binder_federation.federation.core.quotas import QuotaRules, RepositoryRule


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy, ready to be asked."""

    settings: PolicySettings
    bans: Bans
    quotas: QuotaRules
    rate_limit: RateLimit
    exempt: AddressSet
    """Whose launches are not counted."""
    for_members: MemberPolicy


class LivePolicy:
    """The policy of now. `current` is a whole one, before and after a change."""

    def __init__(self, settings: PolicySettings) -> None:
        self.current = compile_policy(settings)

    def get(self) -> Policy:
        """The same, for those who ask again each time."""
        return self.current

    def replace(self, settings: PolicySettings) -> None:
        """Another policy from now on."""
        self.current = compile_policy(settings)


GetPolicy = Callable[[], Policy]


def compile_policy(settings: PolicySettings) -> Policy:
    """`settings` as they are asked."""
    for_members = make_member_policy(
        settings.banned_networks,
        [SpecBanRecord(pattern=ban.pattern, message=ban.message) for ban in settings.banned_specs],
        settings.allowed_specs,
    )
    return Policy(
        settings=settings,
        bans=Bans(for_members),
        quotas=_quota_rules(settings.quotas),
        rate_limit=settings.rate_limit,
        exempt=AddressSet(settings.rate_limit.exempt_networks),
        for_members=for_members,
    )


def _quota_rules(quotas: FederationQuotas) -> QuotaRules:
    return QuotaRules(
        sessions=quotas.sessions,
        message=quotas.message,
        sessions_per_repository=quotas.sessions_per_repository,
        repositories=tuple(_rule(each) for each in quotas.patterns),
        builds_per_repository=quotas.builds_per_repository,
    )


def _rule(quota: RepositoryQuota) -> RepositoryRule:
    return RepositoryRule(
        pattern=re.compile(quota.pattern, re.IGNORECASE),
        sessions=quota.sessions,
        is_sum=quota.scope is QuotaScope.SUM,
        begins_at=quota.begins_at.timestamp() if quota.begins_at else None,
        ends_at=quota.ends_at.timestamp() if quota.ends_at else None,
    )
