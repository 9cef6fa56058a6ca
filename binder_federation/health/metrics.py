"""The metrics of health. Every state of a member is written, as 0 or 1, each time.

A state that is only left would stay 1 in a dashboard: a green panel on a dead member.
"""

from contextlib import suppress
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge

from binder_federation.health.outliers import Ejection
from binder_federation.health.probes import ProbeResult
from binder_federation.health.state import Health, MemberState
from binder_federation.health.suspicion import SuspicionLevel

_OUTCOMES = ("passed", "missed")


class Withheld(StrEnum):
    """Why a member that had earned it was not ejected; a metric's label."""

    LIMIT = "limit"
    """As many members are out as may be."""
    SELF_SUSPICION = "self_suspicion"
    """Most fail at once: it may be us."""


class HealthMetrics:
    """States, checks and probes of the members."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._state = Gauge(
            "binderfed_member_state",
            "1 for the state that a member is in, 0 for the others",
            ["member", "state"],
            registry=registry,
        )
        self._check = Gauge(
            "binderfed_member_check",
            "A member's own checks: 1 passes, 0 fails",
            ["member", "check"],
            registry=registry,
        )
        self._probes = Counter(
            "binderfed_probes_total",
            "Probes of a member by outcome",
            ["member", "outcome"],
            registry=registry,
        )
        self._is_ejected = Gauge(
            "binderfed_member_ejected",
            "1 while outlier detection keeps a member out, else 0",
            ["member"],
            registry=registry,
        )
        self._ejections = Counter(
            "binderfed_member_ejections_total",
            "Ejections of a member by reason",
            ["member", "reason"],
            registry=registry,
        )
        self._withheld = Counter(
            "binderfed_ejections_withheld_total",
            "Failures that would have ejected a member, had not this spoken against it",
            ["why"],
            registry=registry,
        )
        self._suspicion = Gauge(
            "binderfed_self_suspicion",
            "1 for how sure this replica is that it is the one that fails, 0 for the others",
            ["level"],
            registry=registry,
        )
        for why in Withheld:
            self._withheld.labels(why.value)
        self.write_suspicion(SuspicionLevel.NONE)
        self._checks_of: dict[str, frozenset[str]] = {}

    def write(self, member: str, health: Health) -> None:
        """Write all of the member's states, and whether it is ejected."""
        for state in MemberState:
            self._state.labels(member, state.value).set(state is health.state)
        self._is_ejected.labels(member).set(health.is_ejected)

    def count_ejection(self, member: str, reason: Ejection) -> None:
        """The member was ejected."""
        self._ejections.labels(member, reason.value).inc()

    def count_withheld(self, why: Withheld) -> None:
        """A member was not ejected that would have been."""
        self._withheld.labels(why.value).inc()

    def write_suspicion(self, now: SuspicionLevel) -> None:
        """Write all levels."""
        for level in SuspicionLevel:
            self._suspicion.labels(level.value).set(level is now)

    def count_probe(self, member: str, result: ProbeResult) -> None:
        """Count a probe; write the checks it brought and remove those it did not."""
        self._probes.labels(member, "passed" if result.passed else "missed").inc()
        checks = {check.service: check.ok for check in result.checks}
        for service in self._checks_of.get(member, frozenset()) - checks.keys():
            self._check.remove(member, service)
        for service, ok in checks.items():
            self._check.labels(member, service).set(ok)
        self._checks_of[member] = frozenset(checks)

    def remove(self, member: str) -> None:
        """Remove all series of a member that is forgotten."""
        for state in MemberState:
            self._state.remove(member, state.value)
        self._is_ejected.remove(member)
        for service in self._checks_of.pop(member, frozenset()):
            self._check.remove(member, service)
        for outcome in _OUTCOMES:
            with suppress(KeyError):  # it may never have had such a probe
                self._probes.remove(member, outcome)
        for reason in Ejection:
            with suppress(KeyError):  # nor such an ejection
                self._ejections.remove(member, reason.value)
