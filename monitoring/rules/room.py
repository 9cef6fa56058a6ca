"""Alerts about room: before visitors are refused."""

from monitoring.metrics import GROUP
from monitoring.rules.model import Alert, Severity

_MINUTE = 60


def _of(name: str, by: str, kind: str) -> str:
    return f'max by ({by}) ({name}{{kind="{kind}"}})'


def _share(name: str, by: str) -> str:
    return f"{_of(name, by, 'used')} / ({_of(name, by, 'limit')} > 0)"


ROOM = (
    Alert(
        "BinderCapacityNearlyUsed",
        "federation:binderfed_sessions:sum / (federation:binderfed_capacity:sum > 0) > 0.9",
        10 * _MINUTE,
        Severity.WARNING,
        "{{ $value | humanizePercentage }} of all places are in use",
        "At the members that are well. A burst finds no room; who comes then is told to wait.",
    ),
    Alert(
        "BinderQuotaNearlyUsed",
        f"{_share('binderfed_quota_sessions', GROUP)} > 0.9",
        10 * _MINUTE,
        Severity.WARNING,
        "{{ $value | humanizePercentage }} of the federation's own limit of sessions are in use",
        "Beyond it launches are refused, whatever room the members have.",
    ),
    Alert(
        "BinderEventQuotaNearlyUsed",
        f"{_share('binderfed_event_quota_sessions', f'{GROUP}, quota')} > 0.9",
        2 * _MINUTE,
        Severity.WARNING,
        "{{ $value | humanizePercentage }} of the quota {{ $labels.quota }} are in use",
        "The event's next visitors are refused when it is full.",
    ),
)
