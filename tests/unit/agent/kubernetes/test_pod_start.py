"""Why a user's pod will never answer, and where it is when it will."""

import pytest

from binder_federation.cluster_agent.stacks.containers.refusals import is_for_want_of_room
from binder_federation.cluster_agent.stacks.kubernetes.pod_start import PodStart, has_ended
from tests.unit.agent.kubernetes.launching import Json, server_pod, waiting

RUNNING: Json = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 Insufficient memory.",
}


def make_start(*, unschedulable_seconds: float | None = 10.0) -> PodStart:
    return PodStart(pull_tries=3, unschedulable_seconds=unschedulable_seconds)


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        (server_pod(phase="Pending", state=waiting("InvalidImageName")), "name is not valid"),
        (server_pod(phase="Pending", state=waiting("ErrImageNeverPull")), "not on the node"),
        (
            server_pod(
                phase="Pending",
                state=waiting("CreateContainerConfigError", "container has runAsNonRoot"),
            ),
            "cannot be configured: container has runAsNonRoot",
        ),
        (
            server_pod(phase="Pending", state=waiting("ErrImagePull", "manifest unknown")),
            "cannot be pulled: manifest unknown",
        ),
        (
            server_pod(state={"terminated": {"exitCode": 1, "reason": "Error"}}),
            "stopped while it started (exit code 1)",
        ),
        (
            server_pod(
                state={
                    "terminated": {
                        "exitCode": 128,
                        "reason": "StartError",
                        "message": 'exec: "sh": executable file not found in $PATH: unknown',
                    }
                }
            ),
            "stopped while it started (exit code 127)",
        ),
        (
            server_pod(
                phase="Pending",
                state=waiting("RunContainerError", 'exec: "sh": executable file not found'),
            ),
            "stopped while it started (exit code 127)",
        ),
        (
            server_pod(
                state={
                    "terminated": {
                        "exitCode": 128,
                        "reason": "StartError",
                        "message": "failed to mount /proc",
                    }
                }
            ),
            "cannot be started: failed to mount /proc",
        ),
        (
            server_pod(state={"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
            "more memory than it may have",
        ),
        (
            server_pod(phase="Failed", reason="Evicted", message="The node was low on disk."),
            "ended the server's pod (Evicted): The node was low on disk.",
        ),
        (server_pod(state=RUNNING, deleted="2026-01-01T00:00:01Z"), "was deleted"),
    ],
    ids=[
        "name", "never-pull", "config", "no-such-image", "exit", "no-shell",
        "no-shell-yet", "no-mount", "memory", "evicted", "deleted",
    ],
)  # fmt: skip
def test_what_can_never_start_is_told_at_once(pod: Json, words: str) -> None:
    start = make_start()
    start.observe(pod, now=0)
    assert words in start.trouble
    assert start.trouble.endswith(".")
    assert not is_for_want_of_room(start.trouble), "it is a failure, not a full cluster"


@pytest.mark.parametrize(
    "pod",
    [
        server_pod(phase="Pending"),
        server_pod(phase="Pending", state=waiting("ContainerCreating")),
        server_pod(phase="Pending", state=waiting("ErrImagePull", "connection refused")),
        server_pod(phase="Pending", state=waiting("ImagePullBackOff", "Back-off pulling image")),
    ],
)
def test_what_may_still_start_is_waited_for(pod: Json) -> None:
    start = make_start()
    start.observe(pod, now=0)
    assert (start.trouble, start.address) == ("", "")


def test_an_image_is_tried_several_times() -> None:
    failing = server_pod(phase="Pending", state=waiting("ErrImagePull", "connection refused"))
    pausing = server_pod(phase="Pending", state=waiting("ImagePullBackOff"))
    start = make_start()
    for pod in (failing, failing, pausing, pausing, failing, pausing):
        start.observe(pod, now=0)
    assert start.trouble == "", "seen often, but tried twice"
    start.observe(failing, now=0)
    assert "cannot be pulled" in start.trouble


def test_a_pod_that_no_node_takes_means_a_full_cluster() -> None:
    pod = server_pod(phase="Pending", conditions=[UNSCHEDULABLE])
    start = make_start(unschedulable_seconds=10)
    start.observe(pod, now=100)
    start.observe(pod, now=109)
    assert start.trouble == ""
    start.observe(pod, now=110)
    assert "Insufficient memory" in start.trouble
    assert is_for_want_of_room(start.trouble)


def test_where_nodes_are_added_a_pod_may_wait() -> None:
    pod = server_pod(phase="Pending", conditions=[UNSCHEDULABLE])
    start = make_start(unschedulable_seconds=None)
    start.observe(pod, now=0)
    start.observe(pod, now=500)
    assert start.trouble == ""


def test_a_pod_that_vanishes_is_told_one_that_is_not_there_yet_is_not() -> None:
    start = make_start()
    start.observe(None, now=0)
    assert start.trouble == ""
    start.observe(server_pod(phase="Pending"), now=1)
    start.observe(None, now=2)
    assert "was deleted" in start.trouble


@pytest.mark.parametrize(("ip", "address"), [("10.1.2.3", "10.1.2.3"), ("fd00::7", "[fd00::7]")])
def test_the_address_is_told_once_the_server_runs(ip: str, address: str) -> None:
    start = make_start()
    start.observe(server_pod(phase="Pending", podIP=ip), now=0)
    assert start.address == ""
    start.observe(server_pod(state=RUNNING, podIP=ip), now=1)
    assert start.address == address


@pytest.mark.parametrize(
    ("pod", "ended"),
    [
        (None, True),
        (server_pod(phase="Failed"), True),
        (server_pod(state={"terminated": {"exitCode": 0}}), True),
        (server_pod(state=RUNNING), False),
        (server_pod(state=RUNNING, deleted="2026-01-01T00:00:00Z"), False),
        (server_pod(phase="Pending", state=waiting("ContainerCreating")), False),
        (
            server_pod(
                phase="Pending", state=waiting("ImagePullBackOff"), deleted="2026-01-01T00:00:00Z"
            ),
            True,
        ),
    ],
)
def test_a_server_has_ended_when_its_container_has(pod: Json | None, ended: bool) -> None:
    assert has_ended(pod) is ended
