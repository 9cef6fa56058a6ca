"""The cluster's API when it is ill: what is tried again, resumed, translated."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from functools import partial

import pytest
from aiohttp import web

from binder_federation.cluster_agent.registry.credentials.base import NoCredentials
from binder_federation.cluster_agent.stacks.base import StackNotReady
from binder_federation.cluster_agent.stacks.kubernetes.build_logs import BuildLog
from binder_federation.cluster_agent.stacks.kubernetes.builder import KubernetesBuilder
from binder_federation.cluster_agent.stacks.kubernetes.errors import (
    AlreadyThere,
    ClusterError,
    ClusterFull,
    ClusterRefused,
    ClusterUnavailable,
    NotAllowed,
)
from binder_federation.cluster_agent.stacks.kubernetes.watching import PodsSeen
from binder_federation.config.agent import AgentSettings
from tests.support.eventually import eventually
from tests.support.fake_cluster import NAMESPACE, FakeCluster, status
from tests.support.kubernetes_builds import Progress

QUOTA = (
    'pods "x" is forbidden: exceeded quota: pods, requested: pods=1, used: pods=9, limited: pods=9'
)
RIGHT = (
    'pods is forbidden: User "system:serviceaccount:here:agent" cannot create resource "pods" in '
    'API group "" in the namespace "here"'
)


@pytest.fixture
async def cluster() -> AsyncIterator[FakeCluster]:
    async with FakeCluster() as found:
        yield found


def soon(seconds: float = 10) -> float:
    """The event loop's time then."""
    return asyncio.get_running_loop().time() + seconds


async def test_what_reads_is_tried_again(cluster: FakeCluster) -> None:
    await cluster.set_pod("x", phase="Running")
    cluster.answer_next(partial(status, 500, "InternalError"), partial(status, 503, "Unavailable"))
    pod = await cluster.api.read_pod("x", deadline=soon())
    assert pod is not None
    assert len(cluster.seen) == 3


async def test_a_deadline_ends_the_tries(cluster: FakeCluster) -> None:
    cluster.answer_next(*[partial(status, 500, "InternalError")] * 100)
    with pytest.raises(ClusterUnavailable):
        await cluster.api.read_pod("x", deadline=soon(0.5))
    assert len(cluster.seen) > 1


async def test_what_makes_something_is_sent_once(cluster: FakeCluster) -> None:
    cluster.answer_next(partial(status, 500, "InternalError"))
    with pytest.raises(ClusterUnavailable):
        await cluster.api.create_pod({"metadata": {"name": "x"}}, deadline=soon())
    assert len(cluster.seen) == 1


async def test_unless_its_caller_says_otherwise(cluster: FakeCluster) -> None:
    cluster.answer_next(partial(status, 500, "InternalError"))
    await cluster.api.create_pod({"metadata": {"name": "x"}}, is_repeated=True, deadline=soon())
    assert "x" in cluster.pods


@pytest.mark.parametrize("answer", [(429, "TooManyRequests"), (409, "Conflict")])
async def test_what_was_surely_not_done_is_sent_again(
    cluster: FakeCluster, answer: tuple[int, str]
) -> None:
    cluster.answer_next(partial(status, *answer))
    await cluster.api.create_pod({"metadata": {"name": "x"}}, deadline=soon())
    assert "x" in cluster.pods


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (partial(status, 403, "Forbidden", QUOTA), ClusterFull, "quota"),
        (partial(status, 403, "Forbidden", RIGHT), NotAllowed, "may not create pods"),
        (partial(status, 403, "Forbidden", "admission webhook denied"), ClusterRefused, "rule"),
        (partial(status, 401, "Unauthorized"), NotAllowed, "token"),
        (partial(status, 404, "NotFound"), ClusterRefused, "namespace"),
        (partial(status, 409, "AlreadyExists"), AlreadyThere, "already"),
        (partial(status, 422, "Invalid", "spec.x: Invalid value"), ClusterRefused, "422"),
        (lambda: web.Response(status=400, text="<html>"), ClusterRefused, "400"),
    ],
)
async def test_refusals_have_a_meaning(
    cluster: FakeCluster,
    answer: Callable[[], web.Response],
    error: type[ClusterError],
    words: str,
) -> None:
    cluster.answer_next(answer)
    with pytest.raises(error) as caught:
        await cluster.api.create_pod({"metadata": {"name": "x"}}, deadline=soon())
    assert words in caught.value.message
    assert "system:serviceaccount" not in caught.value.message, "the cluster's own words are shown"


async def test_another_pod_of_that_name_is_left_alone(cluster: FakeCluster) -> None:
    await cluster.set_pod("x")
    assert not await cluster.api.delete_pod("x", uid="another", deadline=soon())
    assert "x" in cluster.pods
    assert await cluster.api.delete_pod("x", deadline=soon())
    assert not await cluster.api.delete_pod("x", deadline=soon())


async def test_a_watch_tells_each_change(cluster: FakeCluster) -> None:
    await cluster.set_pod("x", phase="Pending")
    async with aclosing(cluster.api.watch_pods(deadline=soon())) as changes:
        assert await phases(changes) == {"x": "Pending"}
        await cluster.set_pod("x", phase="Running")
        assert await phases(changes) == {"x": "Running"}
        await cluster.set_pod("y", phase="Pending")
        assert await phases(changes) == {"x": "Running", "y": "Pending"}
        await cluster.remove_pod("x")
        assert await phases(changes) == {"y": "Pending"}


async def test_a_watch_goes_on_where_its_connection_was_lost(cluster: FakeCluster) -> None:
    await cluster.set_pod("x", phase="Pending")
    async with aclosing(cluster.api.watch_pods(deadline=soon())) as changes:
        await phases(changes)
        await cluster.set_pod("x", phase="Running")
        await phases(changes)
        cluster.cut()
        cluster.answer_next(partial(status, 503, "Unavailable"))
        await cluster.set_pod("x", phase="Succeeded")
        assert await phases(changes) == {"x": "Succeeded"}
    lists = [each for each in cluster.seen if "watch=" not in each]
    assert len(lists) == 1, "it began anew where it could have gone on"


async def test_a_watch_begins_anew_where_the_cluster_forgot(cluster: FakeCluster) -> None:
    await cluster.set_pod("gone", phase="Running")
    await cluster.set_pod("stays", phase="Running")
    async with aclosing(cluster.api.watch_pods(deadline=soon())) as changes:
        await phases(changes)
        await cluster.set_pod("stays", phase="Succeeded")
        await phases(changes)
        cluster.cut()
        await cluster.remove_pod("gone")
        await cluster.set_pod("new", phase="Pending")
        await cluster.forget()
        seen = await anext(changes)
    assert seen.changed == {"gone", "new"}, "what is as it was is no news"
    assert set(seen.pods) == {"stays", "new"}


async def test_a_watch_that_is_ended_with_an_error_begins_anew(cluster: FakeCluster) -> None:
    await cluster.set_pod("x", phase="Running")
    async with aclosing(cluster.api.watch_pods(deadline=soon())) as changes:
        await phases(changes)
        error = b'{"type": "ERROR", "object": {"code": 410, "reason": "Expired"}}\n'
        cluster.answer_next(lambda: web.Response(body=error))
        await eventually(lambda: is_watched(cluster, changes), what="the watch to be made again")


async def is_watched(cluster: FakeCluster, changes: AsyncIterator[PodsSeen]) -> bool:
    """Whether a change is told again."""
    await cluster.set_pod("x", phase="Succeeded")
    return await phases(changes) == {"x": "Succeeded"}


async def test_a_watch_ends_at_its_deadline(cluster: FakeCluster) -> None:
    seen = [each async for each in cluster.api.watch_pods(deadline=soon(0.3))]
    assert len(seen) == 1
    await eventually(lambda: no_watches(cluster), what="the connection to be closed")


async def no_watches(cluster: FakeCluster) -> bool:
    """Whether every stream of changes is closed (noticed at the next write)."""
    await cluster.set_pod("y")
    return cluster.watches == 0


async def test_a_log_that_breaks_off_is_read_on(cluster: FakeCluster) -> None:
    lines = [f"2026-01-01T00:00:0{number // 4}.{number % 4}Z line {number}" for number in range(12)]
    last = '2026-01-01T00:00:03Z {"phase": "built", "size_bytes": 7}'
    cluster.logs["x"], cluster.log_lines_per_connection = [*lines, last], 5
    cluster.answer_next(partial(status, 500, "InternalError"))
    progress = Progress()
    log = BuildLog(api=cluster.api, pod="x", progress=progress)
    await log.follow()
    assert progress.lines == [f"line {number}" for number in range(12)]
    assert log.last is not None
    assert log.last.fields["size_bytes"] == 7


async def test_a_log_that_cannot_be_read_is_told_once_and_ends_with_the_pod(
    cluster: FakeCluster,
) -> None:
    cluster.answer_next(*[partial(status, 500, "InternalError")] * 100)
    progress = Progress()
    log = BuildLog(api=cluster.api, pod="x", progress=progress)
    async with asyncio.TaskGroup() as group:
        group.create_task(log.follow())
        await eventually(lambda: has_asked(cluster, 2), what="the log to be asked for again")
        log.note_end()
    assert len(progress.lines) == 1
    assert log.last is None


async def has_asked(cluster: FakeCluster, times: int) -> bool:
    """Whether so many requests came."""
    return len(cluster.seen) >= times


async def phases(changes: AsyncIterator[PodsSeen]) -> dict[str, str]:
    """The phases of all pods after the next change."""
    async with asyncio.timeout(10):
        seen = await anext(changes)
    return {name: pod["status"].get("phase", "") for name, pod in seen.pods.items()}


def test_a_buildkit_without_a_registry_is_refused(cluster: FakeCluster) -> None:
    settings = AgentSettings.model_validate(
        {
            "name": "alpha",
            "credential": "a-credential-for-tests-of-at-least-32-bytes",
            "kubernetes": {"build": {"buildkit_address": "tcp://buildkitd:1234"}},
        }
    )
    with pytest.raises(StackNotReady, match="no registry"):
        KubernetesBuilder(
            api=cluster.api,
            settings=settings,
            registry=None,
            credentials=NoCredentials(),
            clock=time.monotonic,
            now=time.time,
        )


def test_the_namespace_is_the_clients(cluster: FakeCluster) -> None:
    assert cluster.api.namespace == NAMESPACE
