"""The federation's own replicas: do they keep up, do they agree, do they reach what they need?"""

from monitoring.metrics import FEDERATION, metric, rate
from monitoring.panels import (
    BAD,
    GOOD,
    Dashboard,
    Kind,
    Panel,
    Query,
    Row,
    Step,
    Unit,
    graph,
    number,
)

_ERRORS = 'status="5xx"'
_SUSPECTS = 'level=~"suspected|confirmed"'


def _process(name: str) -> str:
    """A metric of the process, which every service has: of replicas alone."""
    of_replicas = f"on (job, instance) {metric('build_info')}"
    return f"process_{name}{{{FEDERATION}}} and {of_replicas}"


NOW = Row(
    "Now",
    (
        number(
            "Replicas",
            "That Prometheus reaches. Good: as many as were asked for, two at least.",
            Query(f"count({metric('build_info')})"),
            steps=(BAD, Step(1, "yellow"), Step(2, "green")),
            runbook="BinderReplicaDown",
        ),
        number(
            "Replicas that do not answer",
            "Of those that Prometheus is told of. Good: 0.",
            Query(f"count(up{{{FEDERATION}}} == 0) or vector(0)"),
            steps=(GOOD, Step(1, "red")),
            runbook="BinderReplicaDown",
        ),
        number(
            "Versions",
            "Different ones among the replicas. 2 while an upgrade is under way, 1 else.",
            Query(f"count(count by (version) ({metric('build_info')}))"),
            steps=(GOOD, Step(2, "yellow")),
        ),
        number(
            "Without Redis",
            "Replicas that do not reach Redis. They go on, with what each knows. Good: 0.",
            Query(f"count({metric('redis_up')} == 0) or vector(0)"),
            steps=(GOOD, Step(1, "red")),
            runbook="BinderRedisUnreachable",
        ),
        number(
            "Suspect themselves",
            "Replicas for which most members fail at once. Good: 0.",
            Query(f"sum({metric('self_suspicion', _SUSPECTS)})"),
            steps=(GOOD, Step(1, "red")),
            runbook="BinderReplicaSuspectsItself",
        ),
        number(
            "Crashed tasks",
            "Background tasks that ended with an error. Good: 0; else start the replica anew.",
            Query(f"sum({metric('background_tasks_crashed')})"),
            steps=(GOOD, Step(1, "red")),
            runbook="BinderBackgroundTaskCrashed",
        ),
    ),
)

WORK = Row(
    "Work",
    (
        graph(
            "Decisions",
            "A second, of each replica. Good: about the same everywhere.",
            Query(f"sum by (instance) ({rate('decisions_total')})", "{{instance}}"),
            unit=Unit.PER_SECOND,
        ),
        graph(
            "Answers by status",
            "A second. 5xx should be rare; a check of health that says no is one as well.",
            Query(f"sum by (status) ({rate('http_responses_total')})", "{{status}}"),
            unit=Unit.PER_SECOND,
            is_stacked=True,
        ),
        graph(
            "Share of answers that are errors",
            "5xx of all. Good: below 1 %.",
            Query(
                f"(sum({rate('http_responses_total', _ERRORS)}) or vector(0)) "
                f"/ (sum({rate('http_responses_total')}) > 0)",
                "5xx",
            ),
            unit=Unit.SHARE,
            runbook="BinderErrorResponses",
        ),
        graph(
            "Open event streams",
            "Of each replica.",
            Query(f"sum by (instance) ({metric('streams_in_flight')})", "{{instance}}"),
        ),
        graph(
            "Seconds to ready, 99 %",
            "Of launches that each replica served. One that differs is slow itself.",
            Query(
                "histogram_quantile(0.99, sum by (le, instance) "
                f"({rate('launch_duration_seconds_bucket')}))",
                "{{instance}}",
            ),
            unit=Unit.SECONDS,
        ),
        graph(
            "Reports taken",
            "A second, by replica. A load balancer spreads them.",
            Query(f"sum by (instance) ({rate('reports_total')})", "{{instance}}"),
            unit=Unit.PER_SECOND,
        ),
    ),
)

PROCESS = Row(
    "Process",
    (
        graph(
            "Lag of the event loop",
            "How late what is due runs. Good: below 50 ms. Above 1 s probes miss, streams stall.",
            Query(f"max by (instance) ({metric('event_loop_lag_seconds')})", "{{instance}}"),
            unit=Unit.SECONDS,
            runbook="BinderEventLoopSlow",
        ),
        graph(
            "Processor",
            "Cores in use. A replica has one: near 1 it is full, and another replica is needed.",
            Query(
                f"rate(process_cpu_seconds_total{{{FEDERATION}}}[$__rate_interval]) "
                f"and on (job, instance) {metric('build_info')}",
                "{{instance}}",
            ),
            runbook="BinderEventLoopSlow",
        ),
        graph(
            "Memory",
            "Resident. It grows with images and open streams, then stays.",
            Query(_process("resident_memory_bytes"), "{{instance}}"),
            unit=Unit.BYTES,
        ),
        graph(
            "Open files",
            "Each stream needs two. Compare with the limit of the process.",
            Query(_process("open_fds"), "{{instance}}"),
            Query(
                f"min(process_max_fds{{{FEDERATION}}} and on (job, instance) "
                f"{metric('build_info')})",
                "limit",
            ),
        ),
    ),
)

SHARED = Row(
    "What replicas share",
    (
        Panel(
            "Redis",
            "The breaker of each replica. Good: reached. Without Redis each goes on by itself.",
            (Query(f"min by (instance) ({metric('redis_up')})", "{{instance}}"),),
            Kind.STATES,
            texts=((1, "reached", "green"), (0, "not reached", "red")),
            steps=(BAD, Step(1, "green")),
            runbook="BinderRedisUnreachable",
        ),
        graph(
            "Commands that Redis did not answer",
            "A second, by what they were for. Nothing is good.",
            Query(
                f"sum by (kind) ({rate('redis_commands_failed_total')})", "{{kind}}", is_sparse=True
            ),
            unit=Unit.PER_SECOND,
            runbook="BinderRedisUnreachable",
        ),
        graph(
            "Lag of the mirror",
            "How old the news are as each replica reads them. Good: below 1 s.",
            Query(f"max by (instance) ({metric('mirror_lag_seconds')})", "{{instance}}"),
            unit=Unit.SECONDS,
            runbook="BinderMirrorLags",
        ),
        graph(
            "Facts in the mirror",
            "Images by member. Replicas should know the same.",
            Query(f"max by (instance) ({metric('mirror_facts')})", "{{instance}}"),
        ),
        graph(
            "Revision of the orders",
            "What operators changed live: all replicas should be at the same one within 2 s.",
            Query(f"max by (instance) ({metric('steering_revision')})", "{{instance}}"),
            runbook="BinderSteeringStale",
        ),
        graph(
            "Age of the orders",
            "Seconds since each replica last knew that its orders are the newest. Good: below 5.",
            Query(f"max by (instance) ({metric('steering_stale_seconds')})", "{{instance}}"),
            unit=Unit.SECONDS,
            runbook="BinderSteeringStale",
        ),
        Panel(
            "Self-suspicion",
            "Whether a replica takes itself for the one that fails. Good: no.",
            (Query(f"max by (instance) ({metric('self_suspicion', _SUSPECTS)})", "{{instance}}"),),
            Kind.STATES,
            texts=((0, "no", "green"), (1, "yes", "red")),
            steps=(GOOD, Step(1, "red")),
            runbook="BinderReplicaSuspectsItself",
        ),
        Panel(
            "Policy file",
            "Whether it can be used. If not, the last good policy is in force.",
            (Query(f"max by (instance) ({metric('policy_errors')})", "{{instance}}"),),
            Kind.STATES,
            texts=((0, "good", "green"), (1, "broken", "red")),
            steps=(GOOD, Step(1, "red")),
            runbook="BinderPolicyFileBroken",
        ),
    ),
)

DASHBOARD = Dashboard(
    uid="binderfed-redirector",
    title="Binder / The redirector itself",
    description="Do the federation's replicas keep up, agree, and reach what they need?",
    rows=(NOW, WORK, PROCESS, SHARED),
)
