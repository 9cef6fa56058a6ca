"""Follows a set of pods: lists them once, then is told of each change, for as long as wanted.

A watch goes on from the last `resourceVersion` when its connection is lost; when the
cluster does not remember that far back (410) the pods are listed anew, and what changed
in between is found by comparing. So whoever follows misses no end, only steps between.
https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field

import aiohttp
import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from binder_federation.cluster_agent.stacks.kubernetes.errors import (
    ClusterUnavailable,
    TooOld,
    error_for,
)
from binder_federation.cluster_agent.stacks.kubernetes.requests import Json, Request, Requests

log = structlog.get_logger(__name__)

ROUND_SECONDS = 60
"""The cluster ends each watch after so long, and the next goes on: a connection that died
without a word is noticed soon after."""
_GRACE_SECONDS = 15.0
_SHORT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class PodsSeen:
    """How things stand after a change."""

    pods: Mapping[str, Json]
    """By name: all that are there now. The same object each time, always up to date."""
    changed: frozenset[str]
    """Names of those that are new, different or gone."""


@dataclass(slots=True)
class PodWatch:
    """One watch. `path` is the list's path, `query` selects."""

    requests: Requests
    path: str
    query: Mapping[str, str]
    _pods: dict[str, Json] = field(default_factory=dict, init=False)
    _version: str = field(default="", init=False)

    async def follow(self, *, deadline: float) -> AsyncGenerator[PodsSeen, None]:
        """What is there, at once, and again after each change; ends at the deadline.

        Connections that fail are made again until then; raises `ClusterUnavailable` when
        the last thing known at the deadline is that the cluster does not answer.
        """
        loop = asyncio.get_running_loop()
        began = -_SHORT_SECONDS
        while loop.time() < deadline:
            if loop.time() - began < _SHORT_SECONDS:  # it breaks off at once: give it time
                await asyncio.sleep(_SHORT_SECONDS)
            began = loop.time()
            if not self._version:
                yield PodsSeen(self._pods, await self._list(deadline))
            stream = await self._open(deadline)
            try:
                while stream is not None:
                    line = await _read_line(stream, deadline)
                    if not line:
                        break
                    changed = self._take(line)
                    if changed:
                        yield PodsSeen(self._pods, changed)
            except TooOld:
                self._version = ""
            finally:
                if stream is not None:
                    stream.close()

    async def _list(self, deadline: float) -> frozenset[str]:
        """List anew; returns the names of what is different."""
        request = Request("GET", self.path, self.query)
        answer = await self.requests.send(request, deadline=deadline) or {}
        self._version = answer.get("metadata", {}).get("resourceVersion", "")
        fresh = {pod["metadata"]["name"]: pod for pod in answer.get("items") or []}
        names = self._pods.keys() | fresh.keys()
        changed = frozenset(
            name for name in names if _mark(self._pods.get(name)) != _mark(fresh.get(name))
        )
        self._pods.clear()
        self._pods.update(fresh)
        return changed

    async def _open(self, deadline: float) -> aiohttp.ClientResponse | None:
        """The stream of changes from where we are; None when the deadline passes."""
        request = Request(
            "GET",
            self.path,
            {
                **self.query,
                "watch": "true",
                "resourceVersion": self._version,
                "allowWatchBookmarks": "true",
                "timeoutSeconds": str(ROUND_SECONDS),
            },
        )
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(ClusterUnavailable),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            reraise=True,
        )
        try:
            async with asyncio.timeout_at(deadline):
                return await retrying(
                    self.requests.open, request, silence_seconds=ROUND_SECONDS + _GRACE_SECONDS
                )
        except TimeoutError as error:
            raise ClusterUnavailable("The cluster's API does not answer.") from error
        except TooOld:
            self._version = ""
            return None

    def _take(self, line: bytes) -> frozenset[str]:
        """Apply one change; raises `TooOld` when the watch must begin anew."""
        try:
            change = json.loads(line)
            kind, item = change["type"], change["object"]
        except (ValueError, KeyError, TypeError) as error:  # the line was cut
            raise TooOld("The cluster's account of changes cannot be read.") from error
        if kind == "ERROR":
            found = error_for(int(item.get("code", 500)), item)
            log.info("watch_broke_off", error=found.code)
            raise TooOld("The cluster ended the watch.") from found
        self._version = item["metadata"]["resourceVersion"]
        if kind == "BOOKMARK":
            return frozenset()
        name = item["metadata"]["name"]
        if kind == "DELETED":
            self._pods.pop(name, None)
        else:
            self._pods[name] = item
        return frozenset({name})


async def _read_line(stream: aiohttp.ClientResponse, deadline: float) -> bytes:
    """The next line; empty when the stream or the time is over, or the connection is lost."""
    try:
        async with asyncio.timeout_at(deadline):
            return await stream.content.readline()
    except (aiohttp.ClientError, TimeoutError, OSError):
        return b""
    except ValueError as error:  # longer than the client's buffer
        raise TooOld("The cluster's account of changes cannot be read.") from error


def _mark(pod: Json | None) -> tuple[str, str]:
    """Tells two states of pods of one name apart."""
    metadata = pod["metadata"] if pod else {}
    return metadata.get("uid", ""), metadata.get("resourceVersion", "")
