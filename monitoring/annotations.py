"""What is marked over all graphs: drains and ejections of members, and panic.

Grafana's SDK does not know the fields of a Prometheus annotation (`titleFormat`, `tagKeys`), so
they are written as Grafana stores them.
"""

from typing import Any

from monitoring.metrics import metric

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_DRAINING = metric("member_state", 'state="draining"')


def _mark(
    name: str, expression: str, title: str, color: str, tags: str = "member"
) -> dict[str, Any]:
    return {
        "name": name,
        "datasource": _SOURCE,
        "enable": True,
        "expr": expression,
        "iconColor": color,
        "step": "15s",
        "tagKeys": tags,
        "titleFormat": title,
        "useValueForTime": False,
    }


ANNOTATIONS: tuple[dict[str, Any], ...] = (
    _mark(
        "Drains",
        f"max by (member) ({_DRAINING}) > 0",
        "{{member}} is draining",
        "blue",
    ),
    _mark(
        "Ejections",
        f"max by (member) ({metric('member_ejected')}) > 0",
        "{{member}} is ejected",
        "orange",
    ),
    _mark(
        "Panic",
        f"max({metric('panic')}) > 0",
        "Panic: health is disregarded",
        "red",
        tags="",
    ),
)
