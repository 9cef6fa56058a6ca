"""May one more session of this repository start, may one more of its images be built?

Asked when a launch comes in, and again in the moment in which it is placed (`placing.py`):
nothing is awaited between that and the note that it was sent, so that many launches at once
do not all see the last free place. Replicas hear of each other's launches within
milliseconds; by what comes in that time, and no more, a quota may be exceeded.
"""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

from binder_federation.binder.errors import (
    BuildQuotaExceeded,
    QuotaExceeded,
    RepositoryQuotaExceeded,
)
from binder_federation.binder.spec import ImageKey, LaunchSpec
from binder_federation.federation.core.quotas import QuotaRules
from binder_federation.federation.limits.builds import RepositoryBuilds
from binder_federation.federation.limits.live_policy import GetPolicy
from binder_federation.federation.limits.sessions import RepositorySessions
from binder_federation.runtime.errors import Fault

RETRY_SECONDS = 30.0


class FederationFull(QuotaExceeded):
    """The federation takes no more sessions, whatever room its members have."""

    fault: ClassVar[Fault] = Fault.FEDERATION


class RepositoryFull(RepositoryQuotaExceeded):
    """The repository has as many sessions as it may have at all members together."""

    fault: ClassVar[Fault] = Fault.FEDERATION


class QuotaInForce(NamedTuple):
    """A rule for certain repositories: sessions that count for it, and how many there may be."""

    label: str
    used: int
    limit: int


class Quotas:
    """Checks launches against the policy of now."""

    def __init__(
        self,
        *,
        policy: GetPolicy,
        sessions: RepositorySessions,
        builds: RepositoryBuilds,
        clock: Callable[[], float],
    ) -> None:
        self._policy = policy
        self._sessions = sessions
        self._builds = builds
        self._clock = clock
        self._rules = QuotaRules()

    def check(self, repository: str) -> None:
        """Raises `FederationFull` or `RepositoryFull` when no more session of it may start.

        `repository` is the affinity key.
        """
        rules = self._current_rules()
        if rules.has_none:
            return
        _check_total(rules, self._sessions.total)
        tally = self._sessions.tally
        limits = tally.limits(repository, now=self._clock())
        _check_repository(limits.each, tally.of(repository), "This repository has")
        if limits.of_sum is not None:
            count = tally.of_group(limits.group)
            _check_repository(limits.of_sum, count, "This repository and others like it have")

    def check_ban(self, spec: LaunchSpec) -> None:
        """Raises `SpecBanned`: what a DOI of all versions stands for may be banned by its own."""
        self._policy().bans.check_spec(spec)

    def check_build(self, repository: str, image: ImageKey) -> None:
        """Raises `BuildQuotaExceeded` when too many other images of it are being built."""
        most = self._current_rules().builds_per_repository
        if most is None:
            return
        count = self._builds.under_way(repository, besides=image, now=self._clock())
        if count >= most:
            raise BuildQuotaExceeded(
                f"{count} other versions of this repository are being built now, "
                "as many as may be at the same time.",
                advice="Try again when one of them is done.",
                retry_after_seconds=RETRY_SECONDS,
            )

    def in_force(self, *, now: float) -> list[QuotaInForce]:
        """The rules for certain repositories, with the sessions that count for each. Of a rule
        for each of several repositories that is what the one has that has most."""
        rules, tally = self._current_rules(), self._sessions.tally
        most = tally.most_of_rules()
        return [
            QuotaInForce(
                rule.label,
                used=tally.of_group(index) if rule.is_sum else most[index],
                limit=rule.sessions,
            )
            for index, rule in enumerate(rules.repositories)
            if rule.holds(now)
        ]

    def _current_rules(self) -> QuotaRules:
        rules = self._policy().quotas
        if rules is not self._rules:
            self._rules = rules
            self._sessions.tally.use(rules)
        return rules


def _check_total(rules: QuotaRules, total: int) -> None:
    if rules.sessions == 0:
        raise FederationFull(
            rules.message or "This service is in maintenance and takes no launches now.",
            advice="Come back later.",
        )
    if rules.sessions is not None and total >= rules.sessions:
        raise FederationFull(
            f"All {rules.sessions} places of this service are taken.",
            advice="Try again in a little while: places become free all the time.",
            retry_after_seconds=RETRY_SECONDS,
        )


def _check_repository(most: int | None, count: int, who: str) -> None:
    if most is None or count < most:
        return
    if most == 0:
        raise RepositoryFull("This repository may not be launched now.", advice="Come back later.")
    raise RepositoryFull(
        f"{who} {count} sessions, as many as there may be at the same time.",
        advice="Try again when some of them have ended.",
        retry_after_seconds=RETRY_SECONDS,
    )
