"""Reads a server's pod while it starts: where it is, or why it will never answer.

Fed with each state of the pod, as the API has it. KubeSpawner itself waits until its
timeout for a pod that cannot start; the visitor would rather be somewhere else by then.
Every sentence here is the member's fault, except for a server that exits by itself.
https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/
"""

from dataclasses import dataclass, field
from typing import Any

from binder_federation.cluster_agent.stacks.containers.refusals import (
    NO_ROOM,
    NOT_FOUND,
    has_no_program,
    has_stopped,
)

Json = dict[str, Any]

CONTAINER = "notebook"
"""What KubeSpawner calls the server's container."""
_NEVER = {
    "InvalidImageName": "The image's name is not valid",
    "ErrImageNeverPull": "The image is not on the node, and may not be pulled",
    "CreateContainerConfigError": "The server's container cannot be configured",
    "CreateContainerError": "The server's container cannot be made",
    "RunContainerError": "The server's container cannot be started",
}
_NOT_RUN = ("RunContainerError", "ContainerCannotRun", "StartError")
_GONE_FOR_GOOD = ("not found", "manifest unknown", "does not exist")
_DETAIL_LENGTH = 300


@dataclass(slots=True)
class PodStart:
    """One start. `observe` it; then `trouble` and `address` say how it goes."""

    pull_tries: int
    """So many failed pulls end it."""
    unschedulable_seconds: float | None
    """So long without a node ends it; None waits for a node to be added."""
    trouble: str = field(default="", init=False)
    """Why there will be no server, as a sentence."""
    address: str = field(default="", init=False)
    """The pod's address, once the server's container runs."""
    _failed_pulls: int = field(default=0, init=False)
    _was_failing: bool = field(default=False, init=False)
    _was_seen: bool = field(default=False, init=False)
    _unschedulable_since: float | None = field(default=None, init=False)

    def observe(self, pod: Json | None, *, now: float) -> None:
        """The pod as it is at `now` (seconds on any clock); None while, or when, there is none."""
        if pod is None:
            if self._was_seen:
                self.trouble = "The server's pod was deleted while it started."
            return
        self._was_seen = True
        self.trouble = (
            self._ended(pod) or self._not_scheduled(pod, now) or self._container_trouble(pod)
        )
        running = _container(pod).get("state", {}).get("running") is not None
        address = pod["status"].get("podIP", "") if running else ""
        self.address = f"[{address}]" if ":" in address else address

    def _ended(self, pod: Json) -> str:
        status = pod["status"]
        if pod["metadata"].get("deletionTimestamp"):
            return "The server's pod was deleted while it started."
        if status.get("phase") != "Failed" or _container(pod).get("state", {}).get("terminated"):
            return ""
        return _sentence(
            f"The cluster ended the server's pod ({status.get('reason', 'no reason given')})",
            status.get("message", ""),
        )

    def _not_scheduled(self, pod: Json, now: float) -> str:
        found = [
            one
            for one in pod["status"].get("conditions", [])
            if one["type"] == "PodScheduled" and one.get("reason") == "Unschedulable"
        ]
        if not found or self.unschedulable_seconds is None:
            self._unschedulable_since = None
            return ""
        if self._unschedulable_since is None:
            self._unschedulable_since = now
        if now - self._unschedulable_since < self.unschedulable_seconds:
            return ""
        return _sentence(NO_ROOM, found[0].get("message", ""))

    def _container_trouble(self, pod: Json) -> str:
        state = _container(pod).get("state", {})
        ended = state.get("terminated")
        if ended:
            return _exit_sentence(ended)
        waiting = state.get("waiting") or {}
        reason, detail = waiting.get("reason", ""), waiting.get("message", "")
        if reason in _NOT_RUN and has_no_program(detail):
            return has_stopped(NOT_FOUND)
        if reason in _NEVER:
            return _sentence(_NEVER[reason], detail)
        if reason == "CrashLoopBackOff":
            return _exit_sentence(_container(pod).get("lastState", {}).get("terminated", {}))
        return self._pull_trouble(reason, detail)

    def _pull_trouble(self, reason: str, detail: str) -> str:
        """ErrImagePull and ImagePullBackOff take turns: each time the first comes is a try."""
        is_failing = reason == "ErrImagePull"
        if is_failing and not self._was_failing:
            self._failed_pulls += 1
        self._was_failing = is_failing
        is_hopeless = any(words in detail.lower() for words in _GONE_FOR_GOOD)
        if is_failing and (is_hopeless or self._failed_pulls >= self.pull_tries):
            return _sentence("The image cannot be pulled", detail)
        return ""


def has_ended(pod: Json | None) -> bool:
    """Whether no server runs in the pod any more, or will."""
    if pod is None or pod["status"].get("phase") in ("Failed", "Succeeded"):
        return True
    state = _container(pod).get("state", {})
    is_deleted = pod["metadata"].get("deletionTimestamp") is not None
    return "terminated" in state or (is_deleted and "running" not in state)


def _container(pod: Json) -> Json:
    statuses: list[Json] = pod["status"].get("containerStatuses") or []
    return next((one for one in statuses if one["name"] == CONTAINER), {})


def _exit_sentence(ended: Json) -> str:
    if ended.get("reason") == "OOMKilled":
        return "The server needed more memory than it may have, and was ended."
    if ended.get("reason") in _NOT_RUN:
        detail = ended.get("message", "")
        is_images = has_no_program(detail)
        return has_stopped(NOT_FOUND) if is_images else _sentence(_NEVER[_NOT_RUN[0]], detail)
    return has_stopped(ended.get("exitCode", "unknown"))


def _sentence(what: str, detail: str) -> str:
    detail = " ".join(detail.split())[:_DETAIL_LENGTH].rstrip(".")
    return f"{what}: {detail}." if detail else f"{what}."
