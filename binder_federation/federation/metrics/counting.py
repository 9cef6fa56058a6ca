"""What happens to launches: decisions, attempts, ends, and how long they took.

Every launch counts here, and looking a label up costs more than counting: the children of
the metrics on every launch's way are kept.
"""

from collections.abc import Iterator, Set
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from binder_federation.binder.events import Event, Phase
from binder_federation.federation.core.choose import Decision
from binder_federation.federation.core.cost import Cost, LocalityTier
from binder_federation.federation.metrics.exposition import Exposition
from binder_federation.federation.outcomes import FailedAttempt

NOBODY = "none"
GIVEN_UP = "given_up"
MOST_CODES = 64
LEAST_ESTIMATE_SECONDS = 0.5
"""A warm server is estimated at nothing, and nothing has no ratio to it."""
_BUCKETS = (0.5, 1, 2, 3, 5, 8, 15, 30, 60, 120, 240, 480, 960, 1920)
_RATIO_BUCKETS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.1, 1.25, 1.5, 2, 3, 5, 10)
_LOCALITY = {
    LocalityTier.WARM: "warm",
    LocalityTier.NODE: "node",
    LocalityTier.REGISTRY: "registry",
    LocalityTier.BUILDING: "building",
    LocalityTier.REBUILD: NOBODY,
    LocalityTier.ABSENT: NOBODY,
}
LOCALITIES = tuple(dict.fromkeys(_LOCALITY.values()))


class FederationMetrics:
    """Counts decisions, attempts and launches."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.exposition = Exposition(registry)
        self._codes: set[str] = set()
        self._known: Set[str] = frozenset()
        self._gone: Set[str] = frozenset()
        self._make_decisions()
        self._make_launches()
        self._make_times()
        self._refused = Counter(
            "binderfed_refused_total",
            "Launches refused before they began, by code: bans, rate limits, quotas, links",
            ["code"],
            registry=registry,
        )
        self.streams = Gauge(
            "binderfed_streams_in_flight", "Event streams open to visitors", registry=registry
        )
        self.reports = Counter(
            "binderfed_reports_total", "Reports taken in, by member", ["member"], registry=registry
        )
        self.reports_refused = Counter(
            "binderfed_reports_refused_total",
            "Reports that were not taken, by member and code: invalid_report, body_too_large, …",
            ["member", "code"],
            registry=registry,
        )
        self.responses = Counter(
            "binderfed_http_responses_total",
            "Answers by the class of their status: 2xx, 3xx, 4xx, 5xx",
            ["status"],
            registry=registry,
        )
        self._of_members = (
            self._decisions,
            self._attempts,
            self._launches,
            self._copies,
            self._attempt_seconds,
            self._launch_seconds,
            self._estimate_seconds,
            self.reports,
        )

    def _make_decisions(self) -> None:
        self._decisions = Counter(
            "binderfed_decisions_total",
            "Decisions by the member chosen and the reason",
            ["member", "reason"],
            registry=self.registry,
        )
        self._decided = lru_cache(maxsize=4096)(self._decisions.labels)
        locality = Counter(
            "binderfed_locality_total",
            "Decisions by how near the image was to the member chosen; none: it must be built",
            ["tier"],
            registry=self.registry,
        )
        by_label = {label: locality.labels(label) for label in LOCALITIES}
        self._near = {tier: by_label[label] for tier, label in _LOCALITY.items()}

    def _make_launches(self) -> None:
        self._attempts = Counter(
            "binderfed_attempts_total",
            "Attempts at a member by outcome (ready, quota, refused, or whose fault it was) and "
            "the phase in which they ended",
            ["member", "outcome", "phase"],
            registry=self.registry,
        )
        self._launches = Counter(
            "binderfed_launches_total",
            "Launches that ended, by their last member, by outcome (ready, or the failure's code), "
            "and by whether the first attempt was the last",
            ["member", "outcome", "first_attempt"],
            registry=self.registry,
        )
        self._copies = Counter(
            "binderfed_copies_total",
            "Copies of hot images asked for, by member and outcome: made or failed",
            ["member", "outcome"],
            registry=self.registry,
        )

    def _make_times(self) -> None:
        self._attempt_seconds = Histogram(
            "binderfed_attempt_duration_seconds",
            "Seconds from the decision to ready, for attempts that got there",
            ["member"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._launch_seconds = Histogram(
            "binderfed_launch_duration_seconds",
            "Seconds from the request to ready, failed attempts and all, by where the image was",
            ["member", "locality"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._estimate_seconds = Histogram(
            "binderfed_launch_estimate_seconds",
            "Seconds that the decision had estimated for the same launches",
            ["member", "locality"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._estimate_error = Histogram(
            "binderfed_estimate_error_ratio",
            "Seconds from the decision to ready, as a multiple of the decision's estimate",
            buckets=_RATIO_BUCKETS,
            registry=self.registry,
        )

    def count_decision(self, decision: Decision) -> None:
        """A decision was made."""
        self._decided(decision.member or NOBODY, decision.reason.value).inc()
        if decision.costs:
            self._near[decision.costs[0].cost.tier].inc()

    def decisions(self) -> Iterator[tuple[str, str, float]]:
        """Launches sent to members so far: the member, the reason, how many."""
        for metric in self._decisions.collect():
            for sample in metric.samples:
                member = sample.labels["member"]
                if sample.name.endswith("_total") and member != NOBODY:
                    yield member, sample.labels["reason"], sample.value

    def count_attempt(
        self, member: str, failure: FailedAttempt | None, *, phase: Phase, seconds: float
    ) -> None:
        """An attempt ended in `phase`."""
        if failure is None:
            self._attempts.labels(member, "ready", Phase.READY.value).inc()
            self._attempt_seconds.labels(member).observe(seconds)
        else:
            self._attempts.labels(member, _outcome(failure), phase.value).inc()

    def observe_launch(
        self, member: str, cost: Cost, *, seconds: float, attempt_seconds: float | None
    ) -> None:
        """A session is ready `seconds` after it was asked for.

        `attempt_seconds` is the time since the decision whose estimate was `cost`; None when
        another replica decided, so that it is not known.
        """
        locality = _LOCALITY[cost.tier]
        self._launch_seconds.labels(member, locality).observe(seconds)
        if attempt_seconds is None:
            return
        self._estimate_seconds.labels(member, locality).observe(cost.waiting)
        if cost.waiting >= LEAST_ESTIMATE_SECONDS:
            self._estimate_error.observe(attempt_seconds / cost.waiting)

    def count_copy(self, member: str, *, is_made: bool) -> None:
        """A copy of a hot image was made at `member`, or could not be."""
        self._copies.labels(member, "made" if is_made else "failed").inc()

    def count_refusal(self, code: str) -> None:
        """A launch was refused before it began."""
        self._refused.labels(code).inc()

    def count_end(self, last: Event | None, *, member: str, attempts: int) -> None:
        """A launch ended with the event `last`, at `member` (none: "") after so many attempts."""
        if last is None or last.phase is Phase.READY:
            outcome = "ready" if last else "none"
        else:
            outcome = self._bounded(str(last.fields.get("code", "failed"))[:40])
        self._count(outcome, member, attempts)

    def count_given_up(self, *, member: str, attempts: int) -> None:
        """A launch that nobody watched any more was given up."""
        self._count(GIVEN_UP, member, attempts)

    def _count(self, outcome: str, member: str, attempts: int) -> None:
        is_first = "yes" if attempts <= 1 else "no"
        self._launches.labels(member or NOBODY, outcome, is_first).inc()

    def keep_only(self, members: Set[str]) -> None:
        """Leave no series of a member that is not one of these any more.

        Asked at each scrape, as a launch that was under way may end after its member left.
        """
        self._gone = (self._gone | self._known) - members
        self._known = members
        for member in self._gone:
            for metric in self._of_members:
                metric.remove_by_labels({"member": member})
        if self._gone:
            self._decided.cache_clear()  # it keeps children that count for nobody now

    def _bounded(self, code: str) -> str:
        """The code, which a member may have made up; `other` once there are too many."""
        if code not in self._codes and len(self._codes) < MOST_CODES:
            self._codes.add(code)
        return code if code in self._codes else "other"


def _outcome(failure: FailedAttempt) -> str:
    if failure.is_refusal:
        return "quota" if failure.is_quota else "refused"
    return failure.fault.value
