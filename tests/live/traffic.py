"""Visitors who come at a steady pace, through a load balancer, and do not give up.

Each follows its launch as a browser's EventSource does: when the stream is cut it
comes back with the id of the last event that it saw.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

import httpx

from binder_federation.binder.events import Event, Phase, StreamParser, event_from_json

GIVE_UP_SECONDS = 120.0
RETRY_SECONDS = 0.3


@dataclass
class Visit:
    """One visitor's launch."""

    path: str
    began_at: float
    events: list[Event] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    reconnects: int = 0
    seconds: float = 0.0
    trouble: str = ""

    @property
    def is_ready(self) -> bool:
        return bool(self.events) and self.events[-1].phase is Phase.READY

    @property
    def server(self) -> str:
        """The address of the visitor's own server."""
        return str(self.events[-1].fields.get("url", ""))

    def has_built(self) -> bool:
        """Whether this launch saw a build."""
        return any(event.phase is Phase.BUILDING for event in self.events)

    def describe(self) -> str:
        """For a failed test: what this visitor saw."""
        seen = [f"{event.phase.value}: {event.message.strip()}" for event in self.events[-5:]]
        return f"{self.path} {self.trouble} {self.reconnects} reconnects {seen}"


class Traffic:
    """Launches `per_second` of the repositories, the first ones most often."""

    def __init__(self, url: str, *, per_second: float, seed: int = 1) -> None:
        self._url = url
        self._pause = 1.0 / per_second
        self._rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._visits: set[asyncio.Task[None]] = set()
        self.visits: list[Visit] = []
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        timeout = httpx.Timeout(10.0, read=60.0)
        self._client = httpx.AsyncClient(limits=limits, timeout=timeout, trust_env=False)

    async def run(self, paths: Sequence[str], *, seconds: float) -> list[Visit]:
        """Keep on for so long; returns the visits that began in this time, all of them ended."""
        weights = [1.0 / (rank + 1) for rank in range(len(paths))]
        began, first = time.monotonic(), len(self.visits)
        for number in itertools.count():
            at = began + number * self._pause
            if at >= began + seconds:
                break
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            self._begin(self._rng.choices(paths, weights)[0])
        return await self.settle(first)

    async def once_each(self, paths: Sequence[str]) -> list[Visit]:
        """One launch of each."""
        first = len(self.visits)
        for path in paths:
            self._begin(path)
        return await self.settle(first)

    async def settle(self, first: int = 0) -> list[Visit]:
        """Wait for everybody who is still waiting."""
        if self._visits:
            await asyncio.wait(self._visits, timeout=GIVE_UP_SECONDS + 10)
        return self.visits[first:]

    async def aclose(self) -> None:
        for visit in self._visits:
            visit.cancel()
        await self._client.aclose()

    def _begin(self, path: str) -> None:
        visit = Visit(path, time.monotonic())
        self.visits.append(visit)
        task = asyncio.get_running_loop().create_task(self._follow(visit))
        self._visits.add(task)
        task.add_done_callback(self._visits.discard)

    async def _follow(self, visit: Visit) -> None:
        while not (visit.events and visit.events[-1].phase.is_final):
            if time.monotonic() - visit.began_at > GIVE_UP_SECONDS:
                visit.trouble = f"gave up after {GIVE_UP_SECONDS:.0f} s"
                return
            try:
                await self._read(visit)
            except httpx.HTTPError:
                visit.reconnects += 1
                await asyncio.sleep(RETRY_SECONDS)
        visit.seconds = time.monotonic() - visit.began_at

    async def _read(self, visit: Visit) -> None:
        headers = {"Accept": "text/event-stream"}
        if visit.ids:
            headers["Last-Event-ID"] = visit.ids[-1]
        parser = StreamParser()
        url = f"{self._url}/build/{visit.path}"
        async with self._client.stream("GET", url, headers=headers) as answer:
            async for chunk in answer.aiter_bytes():
                for message in parser.feed(chunk):
                    visit.ids.append(message.event_id)
                    visit.events.append(event_from_json(message.data))
                    if visit.events[-1].phase.is_final:
                        return
        raise httpx.ReadError("the stream ended before the launch did")


def check_all_ready(visits: Sequence[Visit], *, what: str) -> None:
    """No launch failed, and nobody saw an event twice."""
    failed = [visit.describe() for visit in visits if not visit.is_ready]
    assert not failed, f"{what}: {len(failed)} of {len(visits)} launches failed: {failed[:3]}"
    for visit in visits:
        assert len(set(visit.ids)) == len(visit.ids), f"{what}: an event came twice: {visit.ids}"


def summary(name: str, visits: Sequence[Visit]) -> str:
    """A line for the report: how many, and how long they took."""
    seconds = [visit.seconds for visit in visits]
    tail = quantiles(seconds, n=100)[94] if len(seconds) > 1 else seconds[0]
    built = sum(visit.has_built() for visit in visits)
    reconnects = sum(visit.reconnects for visit in visits)
    return (
        f"{name:<28} {len(visits):4} launches   median {median(seconds):5.2f} s   "
        f"p95 {tail:5.2f} s   {built:3} saw a build   {reconnects:3} reconnects"
    )
