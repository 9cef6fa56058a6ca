"""Watches the members: one loop of probes each, so that a slow one delays nobody.

The loop probes at once, takes what it found through `state.py`, tells of a change
of state, and pauses with jitter. `probe_soon` ends a pause early: whoever sees a
member fail asks for the evidence instead of judging by itself.

Beside the probes: launches tell of their outcomes (`observe_outcome`, judged in
`outliers.py`), and every second all members are looked at together (`review.py`):
ejections end, doubts come and go, and we ask ourselves whether it is us.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import httpx
import structlog
from prometheus_client import CollectorRegistry

from binder_federation.config.federation import HealthSettings
from binder_federation.health.evidence import LaunchEvidence
from binder_federation.health.metrics import HealthMetrics, Withheld
from binder_federation.health.outliers import Ejection
from binder_federation.health.probes import ProbeResult, probe
from binder_federation.health.review import Votes, find_doubt, nobody_votes, own_verdict, review
from binder_federation.health.state import (
    Doubt,
    Health,
    next_probe_seconds,
    observe_admission,
    observe_doubt,
    observe_drain,
    observe_ejection,
    observe_ejection_end,
    observe_probe,
)
from binder_federation.health.suspicion import SelfSuspicion
from binder_federation.health.votes import Tally
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

JITTER = 0.2
MOST_PROBES_AT_ONCE = 64
SOONEST_SHARE = 0.1
"""Asked-for probes keep this share of the usual interval apart: failures that come
together are one piece of evidence, not five."""

OnChange = Callable[[str, Health], None]
"""Told of every change of state, and when an ejection or a doubt begins and ends."""


OnResult = Callable[[str, ProbeResult], None]
"""Told of what each probe found."""


def _nobody(_name: str, _result: ProbeResult) -> None:
    """Nobody wants to know."""


class Rng(Protocol):
    """The part of `random.Random` that spreads the probes."""

    def uniform(self, a: float, b: float) -> float:
        """A number from `a` to `b`."""


@dataclass(slots=True)
class _Watched:
    name: str
    url: str
    health: Health
    answer_seconds: float
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)
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
        on_result: OnResult = _nobody,
        votes: Votes = nobody_votes,
    ) -> None:
        self._client = client
        self._settings = settings
        self._tasks = tasks
        self._clock = clock
        self._rng = rng
        self._metrics = HealthMetrics(registry)
        self._on_change = on_change
        self._on_result = on_result
        self._votes = votes
        self._watched: dict[str, _Watched] = {}
        self._evidence = LaunchEvidence(settings)
        self._tally = Tally()
        self._suspicion = SelfSuspicion()
        self._reviews: asyncio.Task[None] | None = None
        self._turns = asyncio.Semaphore(MOST_PROBES_AT_ONCE)

    def watch(
        self,
        name: str,
        url: str,
        *,
        is_draining: bool = False,
        answer_seconds: float | None = None,
        admitted_at: float | None = None,
    ) -> None:
        """Probe the member at `url` from now on; another address than before starts anew.

        `answer_seconds` is how long it may take to answer once it is connected to, if that is
        longer than usual. One that was admitted has its slow start from `admitted_at` on.
        """
        known = self._watched.get(name)
        if known is not None and known.url == url:
            self.set_draining(name, is_draining)
            health = observe_admission(known.health, admitted_at, now=self._clock())
            self._swap(known, health, "admitted")
            return
        self.forget(name)
        now = self._clock()
        begun = Health(probed_since=now, admitted_at=admitted_at)
        health = observe_drain(begun, is_draining, now=now)
        usual_seconds = self._settings.probe_timeout_seconds
        watched = _Watched(name, url, health, max(usual_seconds, answer_seconds or 0.0))
        self._watched[name] = watched
        self._evidence.watch(name)
        self._metrics.write(name, health)
        watched.task = self._tasks.start(self._watch(watched), name=f"probe:{name}")
        self._start_reviews()

    async def wait_for_first_round(self, *, timeout_seconds: float) -> None:
        """Until every member was asked once: before that nobody may get a launch. One that is
        slow to answer is not waited for longer than `timeout_seconds`."""
        rounds = [watched.was_asked.wait() for watched in self._watched.values()]
        try:
            async with asyncio.timeout(timeout_seconds):
                await asyncio.gather(*rounds)
        except TimeoutError:
            slow = [name for name, watched in self._watched.items() if watched.last is None]
            log.info("first_probes_take_long", members=slow[:20])

    def forget(self, name: str) -> None:
        """Stop probing the member and remove its metrics."""
        watched = self._watched.pop(name, None)
        if watched is not None:
            if watched.task is not None:
                watched.task.cancel()
            self._evidence.forget(name, now=self._clock())
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

    def observe_outcome(self, name: str, is_success: bool) -> None:
        """A launch at the member ended well, or failed for the member's sake.

        Not to be told: a repository's build errors, refusals for want of room.
        """
        watched = self._watched.get(name)
        if watched is None:
            return
        now = self._clock()
        self._evidence.observe(name, is_success, now=now)
        if not is_success:
            self._consider_ejection(watched, now)
        self._consider_doubt(watched, now)

    def success_share(self, name: str, now: float) -> float:
        """The share of launches that are likely to go well at the member; 1 if nothing is known."""
        return self._evidence.success_share(name, now=now)

    def suspicion(self) -> SelfSuspicion:
        """Whether most members fail at once, so that it may be us."""
        return self._suspicion

    def verdicts(self) -> Mapping[str, str]:
        """What this replica itself holds of each member: its votes for the other replicas."""
        return {name: own_verdict(watched.health).value for name, watched in self._watched.items()}

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
        self._on_result(watched.name, result)
        self._metrics.count_probe(watched.name, result)
        health = observe_probe(
            watched.health,
            result.passed,
            result.reason,
            now=self._clock(),
            settings=self._settings,
            patience=self._suspicion.patience(watched.name, settings=self._settings),
        )
        self._swap(watched, health, result.reason)
        watched.was_asked.set()

    async def _ask(self, watched: _Watched) -> ProbeResult:
        try:
            # The client's pool looks at all that wait for each that comes: the line is kept here.
            async with self._turns:
                return await probe(
                    self._client,
                    watched.url,
                    timeout_seconds=watched.answer_seconds,
                    connect_seconds=self._settings.probe_timeout_seconds,
                )
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

    def _consider_ejection(self, watched: _Watched, now: float) -> None:
        reason = self._evidence.find_ejection(watched.name, now=now)
        if reason is None:
            return
        self._look_at_ourselves(now)  # what raised this may be failing everywhere by now
        if self._suspicion.is_suspected:
            self._metrics.count_withheld(Withheld.SELF_SUSPICION)
        elif not self._evidence.may_eject(now=now):
            self._metrics.count_withheld(Withheld.LIMIT)
        else:
            self._eject(watched, reason, now)

    def _eject(self, watched: _Watched, reason: Ejection, now: float) -> None:
        record = self._evidence.eject(watched.name, now=now)
        assert record.ejected_until is not None  # noqa: S101 - it was ejected just now
        log.warning(
            "member_ejected",
            member=watched.name,
            reason=reason.value,
            times=record.times_ejected,
            seconds=round(record.ejected_until - now, 1),
        )
        self._metrics.count_ejection(watched.name, reason)
        health = observe_ejection(watched.health, until=record.ejected_until)
        self._swap(watched, health, reason.value)

    def _consider_doubt(self, watched: _Watched, now: float) -> None:
        is_doubtful = self._evidence.is_doubtful(
            watched.name, was_doubtful=watched.health.doubt is Doubt.LAUNCHES, now=now
        )
        doubt = find_doubt(is_doubtful, is_doubted=watched.name in self._tally.doubted)
        health = observe_doubt(watched.health, doubt, now=now)
        if health is not watched.health:
            self._swap(watched, health, f"doubt:{doubt.value}" if doubt else "doubt_ended")

    def _start_reviews(self) -> None:
        if self._reviews is None:
            self._reviews = self._tasks.run_periodically(
                self._review, every_seconds=self._settings.review_seconds, name="health-review"
            )

    async def _review(self) -> None:
        """Look at all members together: what time alone ends, votes, and ourselves."""
        now = self._clock()
        self._look_at_ourselves(now, counts_votes=True)
        for watched in list(self._watched.values()):
            if watched.health.is_ejected:
                health = observe_ejection_end(watched.health, now=now)
                if not health.is_ejected:
                    log.info("member_ejection_ended", member=watched.name)
                    self._swap(watched, health, "ejection_ended")
            self._consider_doubt(watched, now)

    def _look_at_ourselves(self, now: float, *, counts_votes: bool = False) -> None:
        before = self._suspicion
        found = review(
            self.snapshot(),
            self._evidence.records,
            before,
            tally=None if counts_votes else self._tally,
            votes=self._votes,
            now=now,
            settings=self._settings,
        )
        self._tally, self._suspicion = found.tally, found.suspicion
        if found.suspicion.level is before.level:
            return
        self._metrics.write_suspicion(found.suspicion.level)
        log.warning(
            "self_suspicion_changed",
            cause=found.suspicion.cause and found.suspicion.cause.value,
            members=sorted(found.suspicion.members),
            **{"from": before.level.value, "to": found.suspicion.level.value},
        )

    def _swap(self, watched: _Watched, health: Health, reason: str) -> None:
        before, watched.health = watched.health, health
        self._metrics.write(watched.name, health)
        if before.state is not health.state:
            log.info(
                "member_state_changed",
                member=watched.name,
                reason=reason,
                **{"from": before.state.value, "to": health.state.value},
            )
            if not health.probed.is_well:
                self._look_at_ourselves(self._clock())
        elif before.is_ejected is health.is_ejected and before.doubt is health.doubt:
            return
        if self._on_change is not None:
            self._on_change(watched.name, health)
