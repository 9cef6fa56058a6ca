"""Watches the members: one loop of probes each, so that a slow one delays nobody.

The loop probes at once, takes what it found through `state.py`, tells of a change
of state, and pauses with jitter. `probe_soon` ends a pause early: whoever sees a
member fail asks for the evidence instead of judging by itself.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import httpx
import structlog
from prometheus_client import CollectorRegistry

from binder_federation.config.federation import HealthSettings
from binder_federation.health.metrics import HealthMetrics
from binder_federation.health.probes import ProbeResult, probe
from binder_federation.health.state import (
    Health,
    next_probe_seconds,
    observe_drain,
    observe_probe,
)
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

JITTER = 0.2
SOONEST_SHARE = 0.1
"""Asked-for probes keep this share of the usual interval apart: failures that come
together are one piece of evidence, not five."""

OnChange = Callable[[str, Health], None]


class Rng(Protocol):
    """The part of `random.Random` that spreads the probes."""

    def uniform(self, a: float, b: float) -> float:
        """A number from `a` to `b`."""


@dataclass(slots=True)
class _Watched:
    name: str
    url: str
    health: Health
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    last: ProbeResult | None = None
    task: asyncio.Task[None] | None = None


class HealthMonitor:
    """The health of every member, kept up to date."""

    def __init__(
        self,
        *,
        client: httpx.AsyncClient,
        settings: HealthSettings,
        tasks: BackgroundTasks,
        clock: Callable[[], float],
        rng: Rng,
        registry: CollectorRegistry,
        on_change: OnChange | None = None,
    ) -> None:
        self._client = client
        self._settings = settings
        self._tasks = tasks
        self._clock = clock
        self._rng = rng
        self._metrics = HealthMetrics(registry)
        self._on_change = on_change
        self._watched: dict[str, _Watched] = {}

    def watch(self, name: str, url: str, *, is_draining: bool = False) -> None:
        """Probe the member at `url` from now on; another address than before starts anew."""
        known = self._watched.get(name)
        if known is not None and known.url == url:
            self.set_draining(name, is_draining)
            return
        self.forget(name)
        now = self._clock()
        health = observe_drain(Health(probed_since=now), is_draining, now=now)
        watched = _Watched(name, url, health)
        self._watched[name] = watched
        self._metrics.write(name, health)
        watched.task = self._tasks.start(self._watch(watched), name=f"probe:{name}")

    def forget(self, name: str) -> None:
        """Stop probing the member and remove its metrics."""
        watched = self._watched.pop(name, None)
        if watched is not None:
            if watched.task is not None:
                watched.task.cancel()
            self._metrics.remove(name)

    def health(self, name: str) -> Health:
        """The member's health; of one that is not watched nothing is known."""
        watched = self._watched.get(name)
        return watched.health if watched else Health()

    def last_result(self, name: str) -> ProbeResult | None:
        """What the last probe found: checks and versions; None before the first."""
        watched = self._watched.get(name)
        return watched.last if watched else None

    def snapshot(self) -> Mapping[str, Health]:
        """The health of all members that are watched."""
        return {name: watched.health for name, watched in self._watched.items()}

    def set_draining(self, name: str, is_draining: bool) -> None:
        """An operator begins or ends draining the member."""
        watched = self._watched.get(name)
        if watched is not None:
            self._swap(
                watched, observe_drain(watched.health, is_draining, now=self._clock()), "operator"
            )

    def probe_soon(self, name: str) -> None:
        """Probe the member as soon as may be; many calls make one probe."""
        watched = self._watched.get(name)
        if watched is not None:
            watched.wake.set()

    async def _watch(self, watched: _Watched) -> None:
        while True:
            # A call that comes while the probe is under way asks for another one: what
            # its caller saw may be younger than the member's answer.
            watched.wake.clear()
            await self._probe(watched)
            await self._pause(watched)

    async def _probe(self, watched: _Watched) -> None:
        result = await self._ask(watched)
        watched.last = result
        self._metrics.count_probe(watched.name, result)
        health = observe_probe(
            watched.health,
            result.passed,
            result.reason,
            now=self._clock(),
            settings=self._settings,
        )
        self._swap(watched, health, result.reason)

    async def _ask(self, watched: _Watched) -> ProbeResult:
        timeout_seconds = self._settings.probe_timeout_seconds
        try:
            return await probe(self._client, watched.url, timeout_seconds=timeout_seconds)
        except Exception:
            # Whatever it is, nobody saw that the member is well, and the watch goes on.
            log.exception("probe_crashed", member=watched.name)
            return ProbeResult(passed=False, reason="probe_crashed")

    async def _pause(self, watched: _Watched) -> None:
        """Wait for the next probe's time, or for `probe_soon` but not less than the soonest."""
        seconds = next_probe_seconds(watched.health, settings=self._settings)
        seconds *= self._rng.uniform(1 - JITTER, 1 + JITTER)
        soonest = min(seconds, SOONEST_SHARE * self._settings.probe_every_seconds)
        await asyncio.sleep(soonest)
        try:
            async with asyncio.timeout(seconds - soonest):
                await watched.wake.wait()
        except TimeoutError:
            pass  # nobody asked: it is the usual time

    def _swap(self, watched: _Watched, health: Health, reason: str) -> None:
        before, watched.health = watched.health, health
        self._metrics.write(watched.name, health)
        if before.state is health.state:
            return
        log.info(
            "member_state_changed",
            member=watched.name,
            reason=reason,
            **{"from": before.state.value, "to": health.state.value},
        )
        if self._on_change is not None:
            self._on_change(watched.name, health)
