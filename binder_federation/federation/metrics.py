"""The federation's metrics, in a registry of their own. Labels are bounded: no repositories."""

from collections.abc import Iterator
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from binder_federation.binder.events import Event, Phase
from binder_federation.federation.core.choose import Decision
from binder_federation.federation.outcomes import FailedAttempt

NOBODY = "none"
_BUCKETS = (0.5, 1, 2, 3, 5, 8, 15, 30, 60, 120, 240, 480, 960)


class FederationMetrics:
    """Counts decisions, attempts and launches."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._decisions = Counter(
            "binderfed_decisions_total",
            "Decisions by the member chosen and the reason",
            ["member", "reason"],
            registry=registry,
        )
        # Every launch counts there, and looking a label up costs more than counting.
        self._decided = lru_cache(maxsize=4096)(self._decisions.labels)
        self._attempts = Counter(
            "binderfed_attempts_total",
            "Attempts at a member by outcome: ready, quota, refused, or whose fault it was",
            ["member", "outcome"],
            registry=registry,
        )
        self._launches = Counter(
            "binderfed_launches_total",
            "Launches that ended, by outcome: ready, or the failure's code",
            ["outcome"],
            registry=registry,
        )
        self._copies = Counter(
            "binderfed_copies_total",
            "Copies of hot images asked for, by member and outcome: made or failed",
            ["member", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "binderfed_attempt_duration_seconds",
            "Seconds from the decision to ready, for attempts that got there",
            ["member"],
            buckets=_BUCKETS,
            registry=registry,
        )
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

    def count_decision(self, decision: Decision) -> None:
        """A decision was made."""
        self._decided(decision.member or NOBODY, decision.reason.value).inc()

    def decisions(self) -> Iterator[tuple[str, str, float]]:
        """Launches sent to members so far: the member, the reason, how many."""
        for metric in self._decisions.collect():
            for sample in metric.samples:
                member = sample.labels["member"]
                if sample.name.endswith("_total") and member != NOBODY:
                    yield member, sample.labels["reason"], sample.value

    def count_attempt(self, member: str, failure: FailedAttempt | None, seconds: float) -> None:
        """An attempt ended."""
        if failure is None:
            self._attempts.labels(member, "ready").inc()
            self._seconds.labels(member).observe(seconds)
        else:
            self._attempts.labels(member, _outcome(failure)).inc()

    def count_copy(self, member: str, *, is_made: bool) -> None:
        """A copy of a hot image was made at `member`, or could not be."""
        self._copies.labels(member, "made" if is_made else "failed").inc()

    def count_refusal(self, code: str) -> None:
        """A launch was refused before it began."""
        self._refused.labels(code).inc()

    def count_end(self, last: Event | None) -> None:
        """A launch ended with the event `last`."""
        if last is None or last.phase is Phase.READY:
            outcome = "ready" if last else "none"
        else:
            outcome = str(last.fields.get("code", "failed"))[:40]
        self._launches.labels(outcome).inc()


def _outcome(failure: FailedAttempt) -> str:
    if failure.is_refusal:
        return "quota" if failure.is_quota else "refused"
    return failure.fault.value
