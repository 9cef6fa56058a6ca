"""The alerts, all of them: of members, of visitors' launches, of room, of the replicas."""

from monitoring.rules.launches import LAUNCHES
from monitoring.rules.members import MEMBERS
from monitoring.rules.model import Alert
from monitoring.rules.replicas import REPLICAS
from monitoring.rules.room import ROOM

ALERTS: dict[str, tuple[Alert, ...]] = {
    "binderfed-members": MEMBERS,
    "binderfed-launches": LAUNCHES,
    "binderfed-room": ROOM,
    "binderfed-replicas": REPLICAS,
}
"""By the name of their group."""


def all_alerts() -> tuple[Alert, ...]:
    """In the order of docs/operations.md."""
    return tuple(alert for group in ALERTS.values() for alert in group)
