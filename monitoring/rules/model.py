"""A rule as data, and as Prometheus reads it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from monitoring.runbooks import runbook_url


class Severity(StrEnum):
    """Who is to hear of it."""

    CRITICAL = "critical"
    """Visitors are failing: now."""
    WARNING = "warning"
    """Visitors are served, or nearly all: today."""


@dataclass(frozen=True, slots=True)
class Recording:
    """`name` is level:metric:operations."""

    name: str
    expression: str

    def to_rule(self) -> dict[str, Any]:
        """As in a rules file."""
        return {"record": self.name, "expr": self.expression}


@dataclass(frozen=True, slots=True)
class Alert:
    """Fires when `expression` has had an answer for `hold_seconds`."""

    name: str
    expression: str
    hold_seconds: int
    severity: Severity
    summary: str
    """One sentence with the values, in Prometheus' template language."""
    description: str

    def to_rule(self, *, hold_seconds: int | None = None) -> dict[str, Any]:
        """As in a rules file; `hold_seconds` in place of its own, for a test."""
        seconds = self.hold_seconds if hold_seconds is None else hold_seconds
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": f"{seconds}s",
            "labels": {"severity": self.severity.value},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": runbook_url(self.name),
            },
        }
