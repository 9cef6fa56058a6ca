"""May one more session start here?

What counts is every session that the hub runs or starts, and every launch that
holds a place: a place is taken when a launch begins, before it builds or asks the
hub for anything, so that many launches at once cannot overshoot.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from binder_federation.binder.errors import (
    NamedServersOff,
    QuotaExceeded,
    RepositoryQuotaExceeded,
    UserQuotaExceeded,
)
from binder_federation.runtime.errors import ServiceError

RETRY_AFTER_SECONDS = 30.0
REPORTED_REPOSITORIES = 1000


@dataclass(frozen=True, slots=True)
class Quota:
    """How many sessions may be at once; 0 for `sessions` is maintenance."""

    sessions: int
    sessions_per_repository: int
    named_servers_per_user: int = 0
    """Of a visitor who is logged in; 0: there are none for them here."""
    fitting: int | None = None
    """Sessions for which the cluster has room, those that there are included, if it tells."""


@dataclass(frozen=True, slots=True)
class Usage:
    """How many there are: the hub's, and the launches that hold a place."""

    running: int
    pending: int
    by_repository: Mapping[str, int]
    warm: int = 0
    """Warm servers that nobody has taken: they have places too, and give way to launches."""

    @property
    def total(self) -> int:
        """All that count towards the quota; warm servers do not."""
        return self.running + self.pending


def most_used(by_repository: Mapping[str, int]) -> dict[str, int]:
    """The repositories that have most sessions, for the federation's quotas."""
    if len(by_repository) <= REPORTED_REPOSITORIES:
        return dict(by_repository)
    return dict(Counter(by_repository).most_common(REPORTED_REPOSITORIES))


def find_refusal(usage: Usage, *, repository: str, quota: Quota) -> QuotaExceeded | None:
    """Why one more session of `repository` does not fit, or None if it does."""
    if quota.sessions == 0:
        return QuotaExceeded(
            "This member is in maintenance and takes no launches now.",
            advice="Try another member, or come back later.",
        )
    if usage.total >= quota.sessions:
        return QuotaExceeded(
            f"All {quota.sessions} places of this member are taken.",
            advice="Try again in a little while: places become free all the time.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )
    if quota.fitting is not None and usage.total >= quota.fitting:
        return QuotaExceeded(
            "The cluster of this member has no room for another session.",
            advice="Try again in a little while: places become free all the time.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )
    of_repository = usage.by_repository.get(repository, 0)
    if of_repository >= quota.sessions_per_repository:
        return RepositoryQuotaExceeded(
            f"This repository has {of_repository} sessions at this member, "
            f"as many as one repository may have.",
            advice="Try again in a little while.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )
    return None


def find_user_refusal(servers: int, *, quota: Quota) -> ServiceError | None:
    """Why a user who is logged in and has so many servers may not have one more, if so."""
    most = quota.named_servers_per_user
    if most == 0:
        return NamedServersOff(
            "This member has no servers for visitors who are logged in.",
            advice="Another member may have, or launch without logging in.",
        )
    if servers >= most:
        return UserQuotaExceeded(
            f"You have {servers} servers at this member, and may have {most} there.",
            advice="Shut one of them down first.",
        )
    return None
