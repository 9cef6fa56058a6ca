"""What several alerts ask, computed once per evaluation. Names: level:metric:operations."""

from monitoring.metrics import GROUP, WELL, not_ours
from monitoring.rules.model import Recording

_COUNTED = f'outcome!~"{not_ours()}"'
_BY_MEMBER = f"{GROUP}, member"


def _ready(labels: str, over: str) -> str:
    return (
        f'sum by ({GROUP}) (increase(binderfed_launches_total{{outcome="ready"{labels}}}[{over}]))'
        f" / (sum by ({GROUP}) (increase(binderfed_launches_total{{{_COUNTED}}}[{over}])) > 0)"
    )


RECORDINGS: tuple[Recording, ...] = (
    Recording(
        "member:binderfed_member_well:min",
        f"min by ({_BY_MEMBER}) (sum without (state) (binderfed_member_state"
        f'{{state=~"{WELL}"}}) * (1 - binderfed_member_ejected))',
    ),
    Recording(
        "member:binderfed_member_state:avg",
        f"avg by ({_BY_MEMBER}, state) (binderfed_member_state)",
    ),
    Recording(
        "member:binderfed_sessions:max",
        f"max by ({_BY_MEMBER}) (sum without (kind) "
        '(binderfed_member_sessions{kind=~"running|pending"}))',
    ),
    Recording(
        "member:binderfed_capacity:max",
        f"max by ({_BY_MEMBER}) (binderfed_member_capacity)",
    ),
    Recording(
        "federation:binderfed_sessions:sum",
        f"sum by ({GROUP}) (member:binderfed_sessions:max * member:binderfed_member_well:min)",
    ),
    Recording(
        "federation:binderfed_capacity:sum",
        f"sum by ({GROUP}) (member:binderfed_capacity:max * member:binderfed_member_well:min)",
    ),
    Recording(
        "federation:binderfed_launches:increase15m",
        f"sum by ({GROUP}) (increase(binderfed_launches_total{{{_COUNTED}}}[15m]))",
    ),
    Recording("federation:binderfed_launches_ready:ratio_increase15m", _ready("", "15m")),
    Recording(
        "federation:binderfed_launches_ready_at_once:ratio_increase15m",
        _ready(',first_attempt="yes"', "15m"),
    ),
    Recording(
        "federation:binderfed_launch_duration_seconds:p50_rate15m",
        f"histogram_quantile(0.5, sum by ({GROUP}, le) "
        "(rate(binderfed_launch_duration_seconds_bucket[15m])))",
    ),
    Recording(
        "federation:binderfed_launch_duration_seconds:p95_rate15m",
        f"histogram_quantile(0.95, sum by ({GROUP}, le) "
        "(rate(binderfed_launch_duration_seconds_bucket[15m])))",
    ),
    Recording(
        "federation:binderfed_estimate_error_ratio:p50_rate30m",
        f"histogram_quantile(0.5, sum by ({GROUP}, le) "
        "(rate(binderfed_estimate_error_ratio_bucket[30m])))",
    ),
    Recording(
        "member:binderfed_builds_failed:increase30m",
        f"sum by ({_BY_MEMBER}) (increase(binderfed_attempts_total"
        '{outcome="repository",phase="building"}[30m]))',
    ),
    Recording(
        "member:binderfed_builds_made:increase30m",
        f"sum by ({_BY_MEMBER}) (increase(binderfed_launch_duration_seconds_count"
        '{locality=~"none|building"}[30m]))',
    ),
)
