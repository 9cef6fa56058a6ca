"""Alerts about what visitors get. With few launches a share says nothing, and nobody is woken."""

from monitoring.metrics import GROUP
from monitoring.rules.model import Alert, Severity

_MINUTE = 60
_ENOUGH = f"and on ({GROUP}) federation:binderfed_launches:increase15m > 20"

LAUNCHES = (
    Alert(
        "BinderNoEligibleMember",
        f"min by ({GROUP}) (binderfed_eligible_members) == 0",
        _MINUTE,
        Severity.CRITICAL,
        "No member may receive launches",
        "All members are down, draining or full for at least one replica. Visitors see a page that "
        "says so and asks again.",
    ),
    Alert(
        "BinderPanic",
        f"avg by ({GROUP}) (binderfed_panic) >= 0.5",
        2 * _MINUTE,
        Severity.CRITICAL,
        "Most members are not well: health is disregarded",
        "{{ $value | humanizePercentage }} of the replicas send launches to members that are "
        "suspect or ejected, as less than half of the weight is well.",
    ),
    Alert(
        "BinderLaunchesFail",
        f"federation:binderfed_launches_ready:ratio_increase15m < 0.95 {_ENOUGH}",
        5 * _MINUTE,
        Severity.CRITICAL,
        "Only {{ $value | humanizePercentage }} of launches become ready",
        "Of those of the last 15 minutes that neither visitor, repository nor quota stopped.",
    ),
    Alert(
        "BinderFirstAttemptSuccessLow",
        f"federation:binderfed_launches_ready_at_once:ratio_increase15m < 0.9 {_ENOUGH}",
        15 * _MINUTE,
        Severity.WARNING,
        "Only {{ $value | humanizePercentage }} of launches are ready with the first attempt",
        "Failover saves the others, but their visitors wait longer.",
    ),
    Alert(
        "BinderLaunchesSlow",
        f"federation:binderfed_estimate_error_ratio:p50_rate30m > 2 {_ENOUGH}",
        15 * _MINUTE,
        Severity.WARNING,
        "Launches take {{ $value | humanize }} times as long as was expected",
        "The median of the last 30 minutes. Something is slow that was not, and decisions are made "
        "on what is not so.",
    ),
    Alert(
        "BinderProviderQuotaLow",
        f"min by ({GROUP}, provider) (binderfed_provider_rate_limit_remaining) < 0.1 * "
        f"max by ({GROUP}, provider) "
        "(max_over_time(binderfed_provider_rate_limit_remaining[2h]))",
        2 * _MINUTE,
        Severity.WARNING,
        "Only {{ $value }} requests are left at the provider {{ $labels.provider }}",
        "Less than a tenth of what there was within two hours. At 0, branches are not looked up "
        "any more: what is known of them serves on, new ones wait.",
    ),
)
