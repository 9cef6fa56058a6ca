"""Alerts about the federation's own replicas, and what they share."""

from monitoring.metrics import GROUP
from monitoring.rules.model import Alert, Severity

_MINUTE = 60
_REPLICA = f"{GROUP}, instance"

REPLICAS = (
    Alert(
        "BinderReplicaDown",
        f"up == 0 and on ({GROUP}) group by ({GROUP}) (last_over_time(binderfed_build_info[1d]))",
        2 * _MINUTE,
        Severity.WARNING,
        "Replica {{ $labels.instance }} does not answer",
        "Prometheus does not reach it. The load balancer should use the others.",
    ),
    Alert(
        "BinderFederationAbsent",
        "absent(binderfed_build_info)",
        2 * _MINUTE,
        Severity.CRITICAL,
        "No replica of the federation tells anything",
        "All of them are down, or Prometheus is not told where they are.",
    ),
    Alert(
        "BinderReplicaSuspectsItself",
        f'max by ({_REPLICA}) (binderfed_self_suspicion{{level=~"suspected|confirmed"}}) == 1',
        2 * _MINUTE,
        Severity.WARNING,
        "Most members fail at once for replica {{ $labels.instance }}",
        "Its own network may be what is broken. It ejects nobody while it thinks so.",
    ),
    Alert(
        "BinderBackgroundTaskCrashed",
        f"max by ({_REPLICA}) (binderfed_background_tasks_crashed) > 0",
        0,
        Severity.CRITICAL,
        "{{ $value }} background tasks of replica {{ $labels.instance }} have crashed",
        "Its /health says no from then on, and it is to be started anew.",
    ),
    Alert(
        "BinderEventLoopSlow",
        f"max by ({_REPLICA}) (binderfed_event_loop_lag_seconds) > 1",
        5 * _MINUTE,
        Severity.WARNING,
        "Replica {{ $labels.instance }} runs {{ $value | humanizeDuration }} late",
        "Streams stall and probes miss though the members are well.",
    ),
    Alert(
        "BinderErrorResponses",
        f'sum by ({GROUP}) (rate(binderfed_http_responses_total{{status="5xx"}}[5m])) '
        f"/ (sum by ({GROUP}) (rate(binderfed_http_responses_total[5m])) > 0.1) > 0.05",
        5 * _MINUTE,
        Severity.WARNING,
        "{{ $value | humanizePercentage }} of the answers are errors",
        "Of the last five minutes, with a status of 500 or more.",
    ),
    Alert(
        "BinderRedisUnreachable",
        f"min by ({_REPLICA}) (binderfed_redis_up) == 0",
        2 * _MINUTE,
        Severity.WARNING,
        "Replica {{ $labels.instance }} does not reach Redis",
        "It goes on with what it knows. Live changes of operators are refused meanwhile.",
    ),
    Alert(
        "BinderMirrorLags",
        f"max by ({_REPLICA}) (binderfed_mirror_lag_seconds) > 30",
        5 * _MINUTE,
        Severity.WARNING,
        "Replica {{ $labels.instance }} reads news that are {{ $value | humanizeDuration }} old",
        "It sends launches where images were, and does not see what other replicas decide.",
    ),
    Alert(
        "BinderPolicyFileBroken",
        f"max by ({_REPLICA}) (binderfed_policy_errors) == 1",
        2 * _MINUTE,
        Severity.WARNING,
        "The policy file of replica {{ $labels.instance }} cannot be used",
        "The last good policy is in force; what was changed in the file since is not.",
    ),
    Alert(
        "BinderSteeringStale",
        f"max by ({_REPLICA}) (binderfed_steering_stale_seconds) > 30",
        _MINUTE,
        Severity.WARNING,
        "Replica {{ $labels.instance }} has not heard of live changes for "
        "{{ $value | humanizeDuration }}",
        "Bans, drains and weights that operators gave since do not hold there.",
    ),
    Alert(
        "BinderSteeringDiffers",
        f"max by ({GROUP}) (binderfed_steering_revision) "
        f"- min by ({GROUP}) (binderfed_steering_revision) > 0",
        _MINUTE,
        Severity.WARNING,
        "The replicas are {{ $value }} live changes apart",
        "What operators ordered holds on some replicas only.",
    ),
)
