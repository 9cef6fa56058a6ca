"""Reads pods as the cluster's API gives them. Pure; a field that is missing is empty.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

Json = dict[str, Any]

_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a container came to its end."""

    exit_code: int
    reason: str
    """`Completed`, `Error`, `OOMKilled`, …"""
    message: str
    """What it wrote to its termination log, or why it could not be run."""


def name_of(pod: Json) -> str:
    """Its name."""
    return str(pod["metadata"]["name"])


def uid_of(pod: Json) -> str:
    """Tells it from others of its name, before and after."""
    return str(pod["metadata"]["uid"])


def label_of(pod: Json, label: str) -> str:
    """The label's value."""
    return str((pod["metadata"].get("labels") or {}).get(label, ""))


def phase_of(pod: Json) -> str:
    """`Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`."""
    return str(pod.get("status", {}).get("phase", ""))


def has_ended(pod: Json) -> bool:
    """Whether nothing of it runs any more, or will."""
    return phase_of(pod) in _ENDED


def is_being_deleted(pod: Json) -> bool:
    """Whether somebody asked for its deletion."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def reason_of(pod: Json) -> str:
    """Why the whole pod ended as it did: `Evicted`, `DeadlineExceeded`, …"""
    return str(pod.get("status", {}).get("reason", ""))


def message_of(pod: Json) -> str:
    """The cluster's own words about that; for decisions and logs, not for visitors."""
    return str(pod.get("status", {}).get("message", ""))


def waiting_reason(pod: Json) -> str:
    """Why its first container does not run yet: `ContainerCreating`, `ErrImagePull`, …"""
    return str(_state(pod).get("waiting", {}).get("reason", ""))


def has_started(pod: Json) -> bool:
    """Whether its first container runs, or ran."""
    state = _state(pod)
    return "running" in state or "terminated" in state


def end_of(pod: Json) -> Ended | None:
    """How its first container ended; None while it has not."""
    state = _state(pod).get("terminated")
    if state is None:
        return None
    return Ended(
        exit_code=int(state.get("exitCode", 0)),
        reason=str(state.get("reason", "")),
        message=str(state.get("message", "")),
    )


def is_unschedulable(pod: Json) -> bool:
    """Whether no node takes it now."""
    return any(
        condition.get("type") == "PodScheduled" and condition.get("reason") == "Unschedulable"
        for condition in pod.get("status", {}).get("conditions") or []
    )


def made_at(pod: Json) -> float:
    """When it was made, in seconds since the epoch."""
    return seconds_of(pod["metadata"].get("creationTimestamp", ""))


def deleted_at(pod: Json) -> float:
    """When its time to end in peace is, or was, over; 0 when nobody asked for its deletion."""
    return seconds_of(pod["metadata"].get("deletionTimestamp", ""))


def ended_at(pod: Json) -> float:
    """When its first container ended, or the pod did; when it was made, if neither is told."""
    finished = _state(pod).get("terminated", {}).get("finishedAt", "")
    conditions = pod.get("status", {}).get("conditions") or []
    changes = [seconds_of(each.get("lastTransitionTime") or "") for each in conditions]
    return seconds_of(finished) or max(changes, default=0.0) or made_at(pod)


def deadline_of(pod: Json) -> float | None:
    """When the cluster should have ended it, in seconds since the epoch; None without such."""
    seconds = pod.get("spec", {}).get("activeDeadlineSeconds")
    began = seconds_of(pod.get("status", {}).get("startTime") or "") or made_at(pod)
    return None if seconds is None else began + float(seconds)


def seconds_of(time: str) -> float:
    """An RFC 3339 time in seconds since the epoch; 0 when it is none."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return 0.0


def _state(pod: Json) -> Json:
    statuses = pod.get("status", {}).get("containerStatuses") or [{}]
    state: Json = statuses[0].get("state") or {}
    return state
