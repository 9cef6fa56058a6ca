"""Watches one build's pod to its end, and reads its log meanwhile.

The pod's status says what became of the build (`build_verdict.py`); the log is for people,
and its last line for a better sentence.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

from binder_federation.binder.errors import MemberBuildFailed
from binder_federation.cluster_agent.stacks.base import BuildProgress
from binder_federation.cluster_agent.stacks.kubernetes.build_logs import BuildLog
from binder_federation.cluster_agent.stacks.kubernetes.build_verdict import (
    Built,
    judge_deleted,
    judge_end,
    judge_line,
    judge_start,
    judge_wait,
)
from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi
from binder_federation.cluster_agent.stacks.kubernetes.errors import (
    ClusterError,
    ClusterUnavailable,
)
from binder_federation.cluster_agent.stacks.kubernetes.pods import (
    Json,
    has_ended,
    has_started,
    is_being_deleted,
    name_of,
    uid_of,
)
from binder_federation.runtime.errors import ServiceError

LOG_SECONDS = 5.0
"""What the pod's log still brings after its end is waited for so long."""
END_SECONDS = 5.0
"""So long after the process's last line the pod should have ended; what it said counts anyway."""
EVICTION_SECONDS = 45.0
"""A process that was stopped does not know why; a node tells of an eviction when it is over."""
_EVENTS_SECONDS = 5.0
_LOOK_SECONDS = 5.0
"""A pod that does not begin is looked into (its events) so often."""


class BuildWatch:
    """One pod, as it was when the watch began."""

    def __init__(
        self, *, api: KubernetesApi, pod: Json, progress: BuildProgress, starting_seconds: float
    ) -> None:
        self._api = api
        self._name, self._uid = name_of(pod), uid_of(pod)
        self._pod = pod
        self._log = BuildLog(api=api, pod=self._name, progress=progress)
        self._starting_seconds = starting_seconds

    async def follow(self, *, deadline: float) -> Built | ServiceError:
        """What it came to. Raises `ClusterUnavailable` when the cluster does not answer."""
        early = await self._wait_for_start(deadline)
        if early is not None:
            return early
        async with asyncio.TaskGroup() as group:
            reader = group.create_task(self._log.follow(), name=f"log-of-{self._name}")
            end = group.create_task(self._wait_for_end(deadline), name=f"end-of-{self._name}")
            await asyncio.wait([reader, end], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([end], timeout=self._end_seconds())
            if end.done():
                self._log.note_end()
                await asyncio.wait([reader], timeout=LOG_SECONDS)
            end.cancel()
            reader.cancel()
        is_there = None if end.cancelled() else end.result()
        if isinstance(is_there, ClusterError):
            raise is_there
        return await self._judge(is_there=is_there is not False)

    def _end_seconds(self) -> float:
        """How long the pod's end is waited for, after the process's last line."""
        told = self._log.last
        is_members = told is not None and isinstance(judge_line(told), MemberBuildFailed)
        return EVICTION_SECONDS if is_members and not is_being_deleted(self._pod) else END_SECONDS

    async def _judge(self, *, is_there: bool) -> Built | ServiceError:
        told = self._log.last
        if not is_there:
            return judge_deleted(told, self._pod)
        if has_ended(self._pod):
            return judge_end(self._pod, told, await self._events())
        if is_being_deleted(self._pod):
            return judge_deleted(told)
        return judge_line(told) if told else MemberBuildFailed("The build took too long.")

    @property
    def pod(self) -> Json:
        """As it was last seen."""
        return self._pod

    async def _wait_for_start(self, deadline: float) -> Built | ServiceError | None:
        """None once its process runs, or it ended; else what it came to without."""
        loop = asyncio.get_running_loop()
        until = min(loop.time() + self._starting_seconds, deadline)
        while not (has_started(self._pod) or has_ended(self._pod)):
            if loop.time() >= until:
                return judge_wait(self._pod, await self._events(), self._starting_seconds)
            if not await self._look(until):
                return judge_deleted(None, self._pod)
            failure = judge_start(self._pod, await self._events_of_waiting())
            if failure is not None:
                return failure
        return None

    async def _look(self, until: float) -> bool:
        """Wait for news of its start, for a while; whether it is still there.

        Raises `ClusterUnavailable` when the cluster does not answer until `until`.
        """
        loop = asyncio.get_running_loop()
        while True:
            pause_over = min(loop.time() + _LOOK_SECONDS, until)
            try:
                return await self._watch(until=pause_over, for_start=True)
            except ClusterUnavailable:
                if loop.time() >= until:
                    raise

    async def _wait_for_end(self, deadline: float) -> bool | ClusterError:
        """Until it ended, or the deadline; whether it is still there. What is wrong with the
        cluster is a value here: a group of tasks would wrap it."""
        try:
            return await self._watch(until=deadline, for_start=False)
        except ClusterError as error:
            return error

    async def _watch(self, *, until: float, for_start: bool) -> bool:
        """Follow the pod until it began (or changed on the way there), or until it ended."""
        async with aclosing(self._api.watch_pods(name=self._name, deadline=until)) as changes:
            async for seen in changes:
                pod = seen.pods.get(self._name)
                if pod is None or uid_of(pod) != self._uid:
                    return False
                is_news = pod["metadata"].get("resourceVersion") != self._version
                self._pod = pod
                if has_ended(pod):
                    return True
                if for_start and (has_started(pod) or is_news):
                    return not is_being_deleted(pod)
        return True

    @property
    def _version(self) -> str:
        return str(self._pod["metadata"].get("resourceVersion", ""))

    async def _events_of_waiting(self) -> Sequence[Json]:
        return [] if has_started(self._pod) else await self._events()

    async def _events(self) -> Sequence[Json]:
        """The pod's events; none when they cannot be read: they only explain."""
        deadline = asyncio.get_running_loop().time() + _EVENTS_SECONDS
        try:
            return await self._api.pod_events(self._name, deadline=deadline)
        except ClusterError:
            return []
