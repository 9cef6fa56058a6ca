"""Plays launches of a fleet to the outlier detection, as the monitor does."""

from collections.abc import Iterable

from binder_federation.config.federation import HealthSettings
from binder_federation.health.evidence import LaunchEvidence
from binder_federation.health.suspicion import find_failing_together

SETTINGS = HealthSettings()


class Fleet:
    """Members by name. `ejections` are (second, member, seconds out), as they came."""

    def __init__(self, names: Iterable[str], settings: HealthSettings = SETTINGS) -> None:
        self.settings = settings
        self.evidence = LaunchEvidence(settings)
        self.ejections: list[tuple[float, str, float]] = []
        self.most_out = 0
        self.names = list(names)
        for name in self.names:
            self.evidence.watch(name)

    def launch(self, name: str, is_success: bool, now: float) -> None:
        self.evidence.observe(name, is_success, now=now)
        if is_success or self.evidence.find_ejection(name, now=now) is None:
            return
        if self.failing(now) or not self.evidence.may_eject(now=now):
            return
        record = self.evidence.eject(name, now=now)
        assert record.ejected_until is not None
        self.ejections.append((now, name, round(record.ejected_until - now, 6)))
        self.most_out = max(self.most_out, len(self.out(now)))

    def failing(self, now: float) -> frozenset[str]:
        return find_failing_together(self.evidence.records, now=now, settings=self.settings)

    def out(self, now: float) -> set[str]:
        return {name for name, record in self.evidence.records.items() if record.is_ejected(now)}

    def is_doubtful(self, name: str, now: float, *, was_doubtful: bool = False) -> bool:
        return self.evidence.is_doubtful(name, was_doubtful=was_doubtful, now=now)
