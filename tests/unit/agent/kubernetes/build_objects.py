"""Orders and pods for the tests of builds, short to write."""

from typing import Any

from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.stacks.kubernetes.build_pod import BuildPod
from binder_federation.cluster_agent.stacks.repo2docker.order import BuildOrder, OrderedSource
from binder_federation.config.providers import ProviderSettings

KEY = ImageKey("0123456789abcdef" * 2)
TOKEN = "a-token-that-must-not-be-seen"
MADE = "2026-01-01T00:00:00Z"


def make_order(**changes: Any) -> BuildOrder:
    """An order with a secret in its source."""
    values = {
        "repository": "gh/binder-examples/requirements",
        "resolved_ref": "f" * 40,
        "source": OrderedSource(
            url="https://github.com/binder-examples/requirements",
            environment={"GIT_TOKEN": TOKEN},
        ),
        "providers": ProviderSettings(),
        "reference": f"registry.example.org/binder/images:requirements-{KEY}",
        "push": "engine",
        "timeout_seconds": 1800.0,
    }
    return BuildOrder.model_validate({**values, **changes})


def make_build(member: str = "alpha", **changes: Any) -> BuildPod:
    """The build of that order."""
    return BuildPod(key=KEY, order=make_order(**changes), member=member, nonce="n0nce")


def make_status(
    phase: str = "Pending",
    *,
    waiting: str = "",
    exit_code: int | None = None,
    why: str = "",
    message: str = "",
    reason: str = "",
    is_running: bool = False,
    finished_at: str = MADE,
    is_deleted: bool = False,
    is_unschedulable: bool = False,
) -> dict[str, Any]:
    """A pod with that status. `why` and `message` are its container's, `reason` is its own."""
    state: dict[str, Any] = {}
    if waiting:
        state["waiting"] = {"reason": waiting}
    if is_running:
        state["running"] = {"startedAt": MADE}
    if exit_code is not None:
        ended = {"exitCode": exit_code, "reason": why, "message": message}
        state["terminated"] = {**ended, "finishedAt": finished_at}
    metadata = {"name": "build-x", "uid": "1", "creationTimestamp": MADE}
    if is_deleted:
        metadata["deletionTimestamp"] = MADE
    status: dict[str, Any] = {"phase": phase, "containerStatuses": [{"state": state}]}
    if reason:
        status |= {"reason": reason, "message": message}
    if is_unschedulable:
        status["conditions"] = [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        ]
    return {"metadata": metadata, "spec": {"activeDeadlineSeconds": 3600}, "status": status}
