"""What is counted of launches, and that nothing stays of a member that is gone."""

import pytest
from prometheus_client import CollectorRegistry

from binder_federation.binder.errors import QuotaExceeded
from binder_federation.binder.events import Event, Phase, failed_event
from binder_federation.federation.core.choose import Candidate, Decision
from binder_federation.federation.core.cost import Cost, LocalityTier
from binder_federation.federation.core.phrases import Reason
from binder_federation.federation.metrics import FederationMetrics
from binder_federation.federation.metrics.counting import MOST_CODES
from binder_federation.federation.outcomes import FailedAttempt
from binder_federation.federation.steering.additions import find_additions
from binder_federation.federation.steering.document import QuotaOrder, SteeringDocument, Word
from binder_federation.runtime.errors import Fault

READY = Event(Phase.READY, "server running\n")


def cost(tier: LocalityTier, *, build: float = 0.0, spawn: float = 10.0) -> Cost:
    total = spawn + build
    return Cost(tier, spawn, build, 0.0, 0.0, 0.0, 0.0, 0.0, total)


def decision(member: str | None, tier: LocalityTier = LocalityTier.NODE) -> Decision:
    costs = (Candidate(member, cost(tier)),) if member else ()
    return Decision(member, "it is near", Reason.TOOK_OVER, costs, {}, is_panic=False)


class Counted:
    """Metrics and a look at them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = FederationMetrics(self.registry)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"binderfed_{name}", labels)

    def members(self) -> set[str]:
        return {
            sample.labels["member"]
            for family in self.registry.collect()
            for sample in family.samples
            if "member" in sample.labels
        }


@pytest.mark.parametrize(
    ("last", "attempts", "outcome", "is_first"),
    [
        (READY, 1, "ready", "yes"),
        (READY, 2, "ready", "no"),
        (failed_event(QuotaExceeded("full")), 1, "quota_exceeded", "yes"),
        (Event(Phase.FAILED, "no\n"), 3, "failed", "no"),
    ],
)
def test_a_launch_counts_by_member_outcome_and_first_attempt(
    last: Event, attempts: int, outcome: str, is_first: str
) -> None:
    counted = Counted()
    outcome = outcome if last.fields.get("code") is None else str(last.fields["code"])

    counted.metrics.count_end(last, member="alpha", attempts=attempts)

    labels = {"member": "alpha", "outcome": outcome, "first_attempt": is_first}
    assert counted.value("launches_total", **labels) == 1


def test_a_launch_that_no_member_had_counts_for_none() -> None:
    counted = Counted()

    counted.metrics.count_end(Event(Phase.FAILED, "no\n"), member="", attempts=0)

    assert counted.members() == {"none"}


def test_the_time_to_ready_stands_beside_its_estimate() -> None:
    counted = Counted()
    near = cost(LocalityTier.ABSENT, build=90.0, spawn=10.0)

    counted.metrics.observe_launch("alpha", near, seconds=160.0, attempt_seconds=150.0)

    labels = {"member": "alpha", "locality": "none"}
    assert counted.value("launch_duration_seconds_sum", **labels) == 160
    assert counted.value("launch_estimate_seconds_sum", **labels) == 100
    assert counted.value("estimate_error_ratio_sum") == 1.5


def test_what_was_estimated_at_nothing_or_elsewhere_teaches_no_ratio() -> None:
    counted = Counted()

    warm = cost(LocalityTier.WARM, spawn=0.0)
    counted.metrics.observe_launch("alpha", warm, seconds=1.0, attempt_seconds=0.5)
    node = cost(LocalityTier.NODE)
    counted.metrics.observe_launch("beta", node, seconds=9.0, attempt_seconds=None)

    assert counted.value("estimate_error_ratio_count") == 0
    labels = {"member": "beta", "locality": "node"}
    assert counted.value("launch_duration_seconds_count", **labels) == 1
    assert counted.value("launch_estimate_seconds_count", **labels) is None


def test_decisions_count_by_the_nearest_copy() -> None:
    counted = Counted()

    for tier in LocalityTier:
        counted.metrics.count_decision(decision("alpha", tier))
    counted.metrics.count_decision(decision(None))

    found = {
        tier: counted.value("locality_total", tier=tier)
        for tier in ("warm", "node", "registry", "building", "none")
    }
    assert found == {"warm": 1, "node": 1, "registry": 1, "building": 1, "none": 2}


def test_a_failed_attempt_counts_with_its_phase() -> None:
    counted = Counted()
    failure = FailedAttempt("alpha", Event(Phase.FAILED, "no\n"), Fault.MEMBER)

    counted.metrics.count_attempt("alpha", failure, phase=Phase.PUSHING, seconds=4.0)
    counted.metrics.count_attempt("alpha", None, phase=Phase.READY, seconds=4.0)

    pushing = {"member": "alpha", "outcome": "member", "phase": "pushing"}
    assert counted.value("attempts_total", **pushing) == 1
    assert counted.value("attempts_total", member="alpha", outcome="ready", phase="ready") == 1


def test_nothing_is_left_of_a_member_that_is_gone() -> None:
    counted = Counted()
    both = frozenset({"alpha", "beta"})

    def happen(member: str) -> None:
        counted.metrics.count_decision(decision(member))
        counted.metrics.count_end(READY, member=member, attempts=1)
        counted.metrics.count_copy(member, is_made=True)
        counted.metrics.observe_launch(
            member, cost(LocalityTier.NODE), seconds=1.0, attempt_seconds=1.0
        )

    happen("alpha")
    happen("beta")
    counted.metrics.keep_only(both)
    assert counted.members() == both
    counted.metrics.keep_only(frozenset({"beta"}))
    assert counted.members() == {"beta"}

    happen("alpha")  # a launch that was under way ends
    counted.metrics.keep_only(frozenset({"beta"}))
    assert counted.members() == {"beta"}, "a late end brought a member's series back"

    counted.metrics.keep_only(both)  # it joins again
    happen("alpha")
    counted.metrics.keep_only(both)
    reason = Reason.TOOK_OVER.value
    assert counted.value("decisions_total", member="alpha", reason=reason) == 1


def test_codes_that_a_member_makes_up_end_as_other() -> None:
    counted = Counted()

    for number in range(MOST_CODES + 10):
        last = Event(Phase.FAILED, "no\n", {"code": f"code_{number}"})
        counted.metrics.count_end(last, member="alpha", attempts=1)

    labels = {"member": "alpha", "first_attempt": "yes"}
    assert counted.value("launches_total", outcome="other", **labels) == 10


def test_a_quota_by_a_live_order_has_its_id_in_metrics() -> None:
    word = Word(by="admin", at=1.0, reason="a course")
    order = QuotaOrder(id="q1", word=word, pattern="gh/course/.*", sessions=5)
    document = SteeringDocument(quotas={"q1": order})

    (quota,) = find_additions(document, now=2.0).quotas

    assert quota.label == "q1"
