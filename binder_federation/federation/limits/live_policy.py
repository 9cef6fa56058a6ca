"""The policy that is in force, in the form in which it is asked: compiled once, swapped whole.

It comes from the settings or the policy file (`policy_file.py`), and from the live orders of
operators (`steering/additions.py`). Either may change at any time.
"""

import asyncio
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


Overlay = Callable[[PolicySettings], PolicySettings]


def nothing_added(policy: PolicySettings) -> PolicySettings:
    """No live orders."""
    return policy


class LivePolicy:
    """The policy of now. `current` is a whole one, before and after a change."""

    def __init__(self, settings: PolicySettings) -> None:
        self.current = compile_policy(settings)
        self._base = settings
        self._overlay: Overlay = nothing_added
        self._turn = asyncio.Lock()

    @property
    def has_overlay(self) -> bool:
        """Whether live orders have been laid over the settings."""
        return self._overlay is not nothing_added

    def get(self) -> Policy:
        """The same, for those who ask again each time."""
        return self.current

    async def use(
        self, *, base: PolicySettings | None = None, overlay: Overlay | None = None
    ) -> Policy:
        """Another policy of the settings, or other live orders over it, from now on.

        Thousands of networks take a second to compile: that is not done in the event loop.
        Raises `ValueError` or `re.error` for a policy that cannot be used; nothing changes then.
        """
        async with self._turn:
            base, overlay = base or self._base, overlay or self._overlay
            self.current = await asyncio.to_thread(_compile_over, base, overlay)
            self._base, self._overlay = base, overlay
            return self.current


GetPolicy = Callable[[], Policy]


def _compile_over(base: PolicySettings, overlay: Overlay) -> Policy:
    return compile_policy(overlay(base))


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
        label=quota.label,
        pattern=re.compile(quota.pattern, re.IGNORECASE),
        sessions=quota.sessions,
        is_sum=quota.scope is QuotaScope.SUM,
        begins_at=quota.begins_at.timestamp() if quota.begins_at else None,
        ends_at=quota.ends_at.timestamp() if quota.ends_at else None,
    )
