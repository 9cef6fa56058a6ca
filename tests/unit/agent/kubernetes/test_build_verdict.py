"""Whose failure it is that a pod made no image: tables of what the cluster tells."""

from typing import Any

import pytest

from binder_federation.binder.errors import BuildFailed, MemberBuildFailed
from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.stacks.kubernetes.build_verdict import (
    Built,
    judge_deleted,
    judge_end,
    judge_line,
    judge_start,
    judge_wait,
)
from binder_federation.cluster_agent.stacks.repo2docker.output import Line, read_line, write_line
from tests.unit.agent.kubernetes.build_objects import make_status

BUILT = write_line(Phase.BUILT, "Built the image", size_bytes=93_000)
REPOSITORYS = write_line(Phase.FAILED, "A step failed.", fault="repository")
STOPPED = write_line(Phase.FAILED, "The build was stopped.", fault="member")
MEMBERS = write_line(Phase.FAILED, "The member's disk is full.", fault="member")


def told(text: str) -> Line:
    """The last line of a log."""
    return read_line(text)


def test_a_pod_that_succeeded_built_the_image() -> None:
    assert judge_end(make_status("Succeeded", exit_code=0), told(BUILT)) == Built(93_000)


def test_the_last_line_is_in_the_termination_message_too() -> None:
    pod = make_status("Succeeded", exit_code=0, message=BUILT)
    assert judge_end(pod, None) == Built(93_000)


def test_a_pod_that_succeeded_without_a_word_is_believed_until_the_registry_is_asked() -> None:
    assert judge_end(make_status("Succeeded", exit_code=0), None) == Built(0)


@pytest.mark.parametrize(
    ("pod", "line"),
    [
        (make_status("Failed", exit_code=1), REPOSITORYS),
        (make_status("Failed", exit_code=1, message=REPOSITORYS), ""),
    ],
)
def test_a_failing_step_is_the_repositorys(pod: dict[str, Any], line: str) -> None:
    outcome = judge_end(pod, told(line) if line else None)
    assert isinstance(outcome, BuildFailed)
    assert outcome.message == "A step failed."


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        (make_status("Failed", reason="Evicted", message="The node was low on resource: "
                     "ephemeral-storage."), "ran out of disk"),
        (make_status("Failed", reason="Evicted", message='Usage of EmptyDir volume "scratch" '
                     'exceeds the limit "10Gi".'), "ran out of disk"),
        (make_status("Failed", reason="Evicted", message="The node was low on resource: "
                     "[DiskPressure]."), "ran out of disk"),
        (make_status("Failed", reason="Evicted", message="The node was low on resource: memory."),
         "ran out of memory"),
        (make_status("Failed", reason="Evicted", message="Pod was evicted."), "evicted"),
        (make_status("Failed", reason="DeadlineExceeded", message="Pod was active on the node "
                     "longer than the specified deadline"), "took too long"),
        (make_status("Failed", reason="NodeLost"), "was lost"),
        (make_status("Failed", reason="Shutdown"), "was shut down"),
        (make_status("Failed", reason="Preempting"), "make way"),
        (make_status("Failed", reason="OutOfcpu"), "is full"),
        (make_status("Failed", exit_code=137, why="OOMKilled"), "ran out of memory"),
        (make_status("Failed", exit_code=128, why="ContainerCannotRun"), "could not run"),
        (make_status("Failed", exit_code=143, why="Error", is_deleted=True), "was deleted"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("line", ["", REPOSITORYS, STOPPED], ids=["silent", "blaming", "stopped"])
def test_what_the_cluster_does_is_the_members(pod: dict[str, Any], words: str, line: str) -> None:
    outcome = judge_end(pod, told(line) if line else None)
    assert isinstance(outcome, MemberBuildFailed)
    assert words in outcome.message
    assert outcome.retryable


def test_a_failure_of_the_member_is_told_in_its_own_words() -> None:
    outcome = judge_end(make_status("Failed", exit_code=1, why="Error"), told(MEMBERS))
    assert isinstance(outcome, MemberBuildFailed)
    assert outcome.message == "The member's disk is full."


def test_a_drained_node_is_told_by_an_event() -> None:
    pod = make_status("Failed", exit_code=143, why="Error")
    outcome = judge_end(pod, told(REPOSITORYS), [{"reason": "TaintManagerEviction"}])
    assert isinstance(outcome, MemberBuildFailed)
    assert "out of use" in outcome.message


def test_a_process_that_ends_without_a_word_is_the_members() -> None:
    outcome = judge_end(make_status("Failed", exit_code=2, why="Error"), None)
    assert isinstance(outcome, MemberBuildFailed)
    assert "with status 2" in outcome.message


def test_what_is_no_last_line_is_not_believed() -> None:
    pod = make_status("Failed", exit_code=1, message='{"phase": "building"}\nKilled')
    assert isinstance(judge_end(pod, None), MemberBuildFailed)


@pytest.mark.parametrize(
    ("waiting", "words"),
    [
        ("ImagePullBackOff", "image is not to be had"),
        ("InvalidImageName", "image is not to be had"),
        ("ErrImageNeverPull", "image is not to be had"),
        ("CreateContainerConfigError", "could not make"),
        ("CreateContainerError", "could not make"),
        ("RunContainerError", "could not make"),
    ],
)
def test_some_pods_will_never_begin(waiting: str, words: str) -> None:
    outcome = judge_start(make_status(waiting=waiting), [])
    assert isinstance(outcome, MemberBuildFailed)
    assert words in outcome.message


@pytest.mark.parametrize(
    "pod",
    [
        make_status(),
        make_status(waiting="ContainerCreating"),
        make_status(waiting="ErrImagePull"),  # the first failure of a pull; it is tried again
        make_status(is_unschedulable=True),  # a node may be added for it
        make_status("Running", is_running=True),
        make_status("Failed", exit_code=1),
    ],
)
def test_others_may(pod: dict[str, Any]) -> None:
    assert judge_start(pod, [{"reason": "FailedMount", "message": "secret not found"}]) is None


def test_a_node_without_an_engine_is_known_by_an_event() -> None:
    event = {"reason": "FailedMount", "message": "hostPath type check failed: /x is not a socket"}
    outcome = judge_start(make_status(waiting="ContainerCreating"), [event])
    assert isinstance(outcome, MemberBuildFailed)
    assert "engine" in outcome.message


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        (make_status(is_unschedulable=True), "had room"),
        (make_status(waiting="ErrImagePull"), "image is not to be had"),
        (make_status(waiting="ContainerCreating"), "(FailedMount)"),
    ],
)
def test_a_pod_that_waits_too_long(pod: dict[str, Any], words: str) -> None:
    events = [
        {"type": "Normal", "reason": "Scheduled"},
        {"type": "Warning", "reason": "FailedMount"},
    ]
    assert words in judge_wait(pod, events, 300).message


def test_a_pod_that_is_gone_was_deleted() -> None:
    outcome = judge_deleted(None, make_status("Running", is_running=True))
    assert isinstance(outcome, MemberBuildFailed)
    assert "deleted" in outcome.message


@pytest.mark.parametrize(
    ("line", "pod"),
    [(told(BUILT), None), (None, make_status("Succeeded", exit_code=0, message=BUILT))],
)
def test_a_build_that_ended_before_its_pod_was_deleted_counts(
    line: Line | None, pod: dict[str, Any] | None
) -> None:
    assert judge_deleted(line, pod) == Built(93_000)


def test_what_a_deleted_build_blames_on_the_repository_is_not_believed() -> None:
    assert isinstance(judge_deleted(told(REPOSITORYS)), MemberBuildFailed)


@pytest.mark.parametrize("size", ['"many"', "null", "[1]"])
def test_a_size_that_is_none_is_none(size: str) -> None:
    assert judge_line(told(f'{{"phase": "built", "size_bytes": {size}}}')) == Built(0)
