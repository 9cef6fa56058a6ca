"""The metrics of health. Every state of a member is written, as 0 or 1, each time.

A state that is only left would stay 1 in a dashboard: a green panel on a dead member.
"""

from contextlib import suppress

from prometheus_client import CollectorRegistry, Counter, Gauge

from binder_federation.health.probes import ProbeResult
from binder_federation.health.state import Health, MemberState

_OUTCOMES = ("passed", "missed")


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
        self._checks_of: dict[str, frozenset[str]] = {}

    def write(self, member: str, health: Health) -> None:
        """Write all of the member's states."""
        for state in MemberState:
            self._state.labels(member, state.value).set(state is health.state)

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
        for service in self._checks_of.pop(member, frozenset()):
            self._check.remove(member, service)
        for outcome in _OUTCOMES:
            with suppress(KeyError):  # it may never have had such a probe
                self._probes.remove(member, outcome)
