"""What became of a build, told from its pod, its last line and the cluster's events. Pure.

Three witnesses, of which each may be missing: the pod's status (the node may be gone), the
process's last line (the log may be gone; it is in the termination message too), the events
(they are kept for an hour, and may not be readable). Whatever the cluster did to the pod is
the member's fault, even where the process, as it was ended, blamed the repository; and it
knows better than a process that was merely told to stop.
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from binder_federation.binder.errors import BuildFailed, MemberBuildFailed
from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.stacks.kubernetes.pods import (
    Ended,
    Json,
    end_of,
    has_ended,
    has_started,
    is_being_deleted,
    is_unschedulable,
    message_of,
    phase_of,
    reason_of,
    waiting_reason,
)
from binder_federation.cluster_agent.stacks.repo2docker.output import Line, read_line
from binder_federation.runtime.errors import ServiceError

_NO_PULL = {
    "ErrImagePull": False,
    "ImagePullBackOff": True,
    "ErrImageNeverPull": True,
    "InvalidImageName": True,
    "ImageInspectError": True,
    "RegistryUnavailable": False,
}
"""Why the builder's image is not there → whether trying further is of no use."""
_NOT_MADE = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
_CHECK_FAILED = re.compile(r"hostPath type check failed")
_OF_THE_NODE = {
    "NodeLost": "The machine on which it was built was lost.",
    "NodeShutdown": "The machine on which it was built was shut down.",
    "Shutdown": "The machine on which it was built was shut down.",
    "Terminated": "The machine on which it was built was shut down.",
    "Preempting": "The build had to make way for something more important.",
    "Preempted": "The build had to make way for something more important.",
    "NodeAffinity": "The machine on which it was to be built does not take builds any more.",
    "OutOfcpu": "The machine on which it was to be built is full.",
    "OutOfmemory": "The machine on which it was to be built is full.",
    "OutOfpods": "The machine on which it was to be built is full.",
    "OutOfephemeral-storage": "The machine on which it was to be built is full.",
    "UnexpectedAdmissionError": "The machine on which it was to be built refused it.",
}
_DISK = re.compile(r"ephemeral|disk|storage|inodes|emptyDir", re.IGNORECASE)
_MEMORY = re.compile(r"memory", re.IGNORECASE)
_DRAIN = "TaintManagerEviction"


@dataclass(frozen=True, slots=True)
class Built:
    """The build says that the image is made (and pushed)."""

    size_bytes: int = 0
    """0 when it did not say."""


def judge_start(pod: Json, events: Sequence[Json]) -> MemberBuildFailed | None:
    """Why the pod will not begin, if that is sure; None while it may, or has begun."""
    if has_started(pod) or has_ended(pod):
        return None
    reason = waiting_reason(pod)
    if _NO_PULL.get(reason):
        return _no_image(reason)
    if reason in _NOT_MADE:
        return MemberBuildFailed(
            f"The cluster could not make the build's container ({reason}).",
            advice="Its operator looks at the events of the build's pod.",
        )
    if any(_CHECK_FAILED.search(str(event.get("message", ""))) for event in events):
        return MemberBuildFailed(
            "There is no container engine on the machine that was to build.",
            advice="Its operator checks kubernetes.build.engine_socket.",
        )
    return None


def judge_wait(pod: Json, events: Sequence[Json], seconds: float) -> MemberBuildFailed:
    """Why the pod did not begin within `seconds`."""
    if is_unschedulable(pod):
        return MemberBuildFailed(
            f"No machine of the member had room for the build within {seconds:.0f} seconds."
        )
    reason = waiting_reason(pod)
    if reason in _NO_PULL:
        return _no_image(reason)
    warnings = [event for event in events if event.get("type") == "Warning"]
    cause = str(warnings[-1].get("reason", "")) if warnings else reason or "no reason is told"
    return MemberBuildFailed(
        f"The build did not begin within {seconds:.0f} seconds ({cause}).",
        advice="Its operator looks at the events of the build's pod.",
    )


def judge_end(pod: Json, told: Line | None, events: Sequence[Json] = ()) -> Built | ServiceError:
    """What the ended pod came to. `told` is the process's last line, if the log had it."""
    end = end_of(pod)
    last = told or _last_words(end)
    failure = _told_failure(last)
    if phase_of(pod) == "Succeeded":
        return failure or _built(last)  # the registry will say whether it is true
    done_to_it = _done_by_cluster(pod, end, events)
    if done_to_it is not None:
        return done_to_it
    if failure is not None:
        return failure
    code = f" with status {end.exit_code}" if end else ""
    return MemberBuildFailed(f"The build ended{code} and did not say why.")


def judge_line(told: Line) -> Built | ServiceError:
    """What the process's last line says, by itself."""
    return _told_failure(told) or _built(told)


def judge_deleted(told: Line | None, pod: Json | None = None) -> Built | ServiceError:
    """What a pod came to that is not there any more (or is being deleted).

    `pod` is how it was last seen. A build that ended before it was deleted counts.
    """
    if pod is not None and has_ended(pod):
        return judge_end(pod, told)
    if told is not None and told.phase is Phase.BUILT:
        return _built(told)
    failure = _told_failure(told)
    return _deleted() if failure is None or isinstance(failure, BuildFailed) else failure


def _done_by_cluster(
    pod: Json, end: Ended | None, events: Sequence[Json]
) -> MemberBuildFailed | None:
    """What the cluster did to the pod; None when it was left alone."""
    reason = reason_of(pod)
    if reason == "Evicted":
        return _evicted(message_of(pod))
    if reason == "DeadlineExceeded":
        return MemberBuildFailed("The build took too long, and the cluster ended it.")
    if reason in _OF_THE_NODE:
        return MemberBuildFailed(_OF_THE_NODE[reason])
    if any(event.get("reason") == _DRAIN for event in events):
        return MemberBuildFailed("The machine on which it was built was taken out of use.")
    if is_being_deleted(pod):
        return _deleted()
    if end is None:
        return None
    if end.reason == "OOMKilled":
        return MemberBuildFailed(
            "The build's pod ran out of memory.",
            advice="Its operator may raise kubernetes.build.memory_limit.",
        )
    if end.reason in ("ContainerCannotRun", "StartError"):
        return MemberBuildFailed(
            f"The cluster could not run the build's container ({end.reason}).",
            advice="Its operator looks at the build's pod.",
        )
    return None


def _deleted() -> MemberBuildFailed:
    return MemberBuildFailed("The build's pod was deleted while it built.", advice="Try again.")


def _evicted(message: str) -> MemberBuildFailed:
    if _DISK.search(message):
        return MemberBuildFailed("The machine on which it was built ran out of disk.")
    if _MEMORY.search(message):
        return MemberBuildFailed("The machine on which it was built ran out of memory.")
    return MemberBuildFailed("The build was evicted from the machine on which it ran.")


def _no_image(reason: str) -> MemberBuildFailed:
    return MemberBuildFailed(
        f"The member's builder cannot be started: its image is not to be had ({reason}).",
        advice="Its operator checks kubernetes.build.image.",
    )


def _last_words(end: Ended | None) -> Line | None:
    """The last line, from the termination message."""
    lines = end.message.strip().splitlines() if end else []
    line = read_line(lines[-1]) if lines else None
    return line if line is not None and line.is_last else None


def _told_failure(last: Line | None) -> ServiceError | None:
    """The failure that the last line tells, if it does."""
    return last.error() if last is not None and last.phase is Phase.FAILED else None


def _built(last: Line | None) -> Built:
    size = last.fields.get("size_bytes") if last is not None else None
    return Built(size if isinstance(size, int) else 0)
