"""The rules' files, as Prometheus reads them: `recording.yaml` and `alerts.yaml`."""

from collections.abc import Iterator
from typing import Any

import yaml

from monitoring.rules.alerts import ALERTS
from monitoring.rules.recording import RECORDINGS

_HEAD = "# Made by `python -m monitoring` from monitoring/rules: change it there.\n"
_LINE_LENGTH = 100


def rule_files(
    *, hold_seconds: int | None = None, every_seconds: int | None = None
) -> Iterator[tuple[str, str]]:
    """Names and texts. The arguments shorten waiting and evaluation, for a test."""
    recording = {
        "name": "binderfed-recording",
        "rules": [recording.to_rule() for recording in RECORDINGS],
    }
    yield "recording.yaml", _text([recording], every_seconds)
    alerts = [
        {"name": name, "rules": [alert.to_rule(hold_seconds=hold_seconds) for alert in group]}
        for name, group in ALERTS.items()
    ]
    yield "alerts.yaml", _text(alerts, every_seconds)


def _text(groups: list[dict[str, Any]], every_seconds: int | None) -> str:
    if every_seconds is not None:
        groups = [{**group, "interval": f"{every_seconds}s"} for group in groups]
    body = yaml.safe_dump(
        {"groups": groups}, sort_keys=False, width=_LINE_LENGTH, allow_unicode=True
    )
    return _HEAD + body
