"""What warm servers come to at one member: hits, idle places, servers started per launch.

A trace's arrivals are played against a member with the very functions that serve: the rates of
`warm/demand.py`, the sizes of `core/warm_sizing.py`, the plans of `core/warm_plan.py`. Two
yardsticks stand beside: no pool at all, and three servers for each image that is hot enough.

`BINDERFED_TRACE` names a trace's file (docs/simulation.md); otherwise it is a synthetic one.
The member gets a part of the launches, drawn at random, so that it is nearly half full on average.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from random import Random

from benchmarks.rows import Row
from benchmarks.sizes import Sizes
from binder_federation.binder.spec import ImageKey, LaunchSpec
from binder_federation.cluster_agent.core.warm_plan import (
    Room,
    Waiting,
    Waste,
    order_to_go,
    plan_pool,
)
from binder_federation.cluster_agent.core.warm_sizing import (
    Occupancy,
    WarmRules,
    room_to_keep,
    room_to_start,
    size_pool,
)
from binder_federation.cluster_agent.launcher import ServerOptions
from binder_federation.cluster_agent.warm.demand import Demand
from binder_federation.config.warm import WarmSettings
from binder_federation.federation.simulation.synthetic import make_synthetic
from binder_federation.federation.simulation.trace import Trace, read_trace

CAPACITY = 200
SPAWN_SECONDS = 10.0
SESSION_SECONDS = 1500.0
PART = 0.4
"""Of the trace's launches, the member's: 89 sessions of 200 places in the mean."""
STARTS_AT_ONCE = 2
FIXED = 3

Size = Callable[[Mapping[str, float], Occupancy], Mapping[str, int]]


@dataclass(slots=True)
class Figures:
    """What one run came to."""

    launches: int = 0
    hits: int = 0
    started: int = 0
    refused: int = 0
    idle_seconds: float = 0.0
    seconds: float = 0.0
    wasted: Counter[Waste] = field(default_factory=Counter)

    @property
    def hit_share(self) -> float:
        """Of all launches."""
        return self.hits / self.launches

    @property
    def idle_share(self) -> float:
        """Of the capacity: places of warm servers, also while they start."""
        return self.idle_seconds / (self.seconds * CAPACITY)

    @property
    def started_per_launch(self) -> float:
        """Servers that are started, for a visitor or ahead."""
        return (self.launches - self.hits + self.started) / self.launches


class Member:
    """One member, its sessions and its pool."""

    def __init__(self, rules: WarmRules, size: Size, settings: WarmSettings, rng: Random) -> None:
        self.figures = Figures()
        self._rules = rules
        self._size = size
        self._rng = rng
        self._demand = Demand(memory_seconds=settings.memory_seconds)
        self._ends: list[float] = []
        self._starting: list[tuple[float, str]] = []
        self._servers: dict[str, tuple[ImageKey, float]] = {}
        """Name → its image, and when it is ready."""
        self._wanted: Mapping[str, int] = {}
        self._names = count()
        self._now = 0.0

    def launch(self, key: ImageKey, now: float) -> None:
        """A visitor comes; whatever became ready before is ready."""
        while self._starting and self._starting[0][0] <= now:
            at, _ = heappop(self._starting)
            self._advance(at)
            self._tend()
        self._advance(now)
        self.figures.launches += 1
        self._demand.note(key, LaunchSpec("gh", f"o/{key}", "HEAD"), _OPTIONS, now=now)
        if len(self._ends) >= CAPACITY:
            self.figures.refused += 1
        else:
            self._serve(key)
            heappush(self._ends, now + self._rng.expovariate(1.0 / SESSION_SECONDS))
        self._tend()

    def _serve(self, key: ImageKey) -> None:
        ready = [
            (ready_at, name)
            for name, (image, ready_at) in self._servers.items()
            if image == key and ready_at <= self._now
        ]
        if ready:
            del self._servers[min(ready)[1]]
            self.figures.hits += 1
        elif len(self._ends) + len(self._servers) >= CAPACITY and self._servers:
            self._remove(order_to_go(self._waiting(), self._wanted, spare=key)[0], Waste.GAVE_WAY)

    def _tend(self) -> None:
        occupancy = Occupancy(CAPACITY, len(self._ends))
        self._wanted = self._size(self._demand.rates(now=self._now), occupancy)
        starting = sum(ready_at > self._now for _, ready_at in self._servers.values())
        plan = plan_pool(
            self._waiting(),
            self._wanted,
            images=self._wanted.keys() | {image for image, _ in self._servers.values()},
            room=Room(
                to_start=room_to_start(occupancy, self._rules),
                to_keep=room_to_keep(occupancy, self._rules),
                starts=STARTS_AT_ONCE - starting,
            ),
            max_age_seconds=self._rules.max_age_seconds,
        )
        for name, why in plan.remove:
            self._remove(name, why)
        for key in map(ImageKey, plan.start):
            name, ready_at = str(next(self._names)), self._now + SPAWN_SECONDS
            self._servers[name] = (key, ready_at)
            heappush(self._starting, (ready_at, name))
            self.figures.started += 1

    def _waiting(self) -> list[Waiting]:
        now = self._now
        return [
            Waiting(name, image, max(0.0, now - ready_at), ready_at <= now)
            for name, (image, ready_at) in self._servers.items()
        ]

    def _remove(self, name: str, why: Waste) -> None:
        del self._servers[name]
        self.figures.wasted[why] += 1

    def _advance(self, now: float) -> None:
        passed = now - self._now
        self.figures.idle_seconds += passed * len(self._servers)
        self.figures.seconds += passed
        self._now = now
        while self._ends and self._ends[0] <= now:
            heappop(self._ends)


_OPTIONS = ServerOptions(
    image="",
    token="",
    repo_url="",
    binder_ref_url="",
    binder_launch_host="",
    binder_request="",
    binder_persistent_request="",
    binder_client_ip="",
    repository="",
)


def run(sizes: Sizes) -> list[Row]:
    """The pool at the trace's arrivals, beside a fixed one."""
    trace = _trace(sizes.trace_days)
    settings = WarmSettings()
    rules = make_rules(settings)
    ours = play(trace, rules, our_size(rules), settings)
    fixed = play(trace, rules, fixed_size(rules), settings)
    none = play(trace, rules, lambda _rates, _occupancy: {}, settings)
    wasted = sum(ours.wasted.values()) / max(1, ours.started)
    about = f"{trace.name[:24]}, {ours.launches:,} launches"
    return [
        Row(f"launches that find a server; {about}", *_percent(ours.hit_share, fixed.hit_share)),
        Row("idle share of capacity", *_percent(ours.idle_share, fixed.idle_share)),
        Row(
            "hours that servers wait, for 1,000 launches",
            1000 * ours.idle_seconds / 3600 / ours.launches,
            "h",
            1000 * fixed.idle_seconds / 3600 / fixed.launches,
        ),
        Row(
            "servers started per launch (1 without a pool)",
            ours.started_per_launch,
            "",
            fixed.started_per_launch,
        ),
        Row("warm servers that nobody took", *_percent(wasted, _wasted_share(fixed))),
        Row("launches refused for want of room", 100 * _refused(ours), "%", 100 * _refused(none)),
    ]


def play(trace: Trace, rules: WarmRules, size: Size, settings: WarmSettings) -> Figures:
    """The whole trace at one member."""
    member = Member(rules, size, settings, Random(1))  # noqa: S311 - repeatable on purpose
    for now, key in _arrivals(trace, Random(2)):  # noqa: S311
        member.launch(key, now)
    return member.figures


def make_rules(settings: WarmSettings) -> WarmRules:
    """As `warm/wiring.py` makes them."""
    return WarmRules(
        share=settings.share,
        free_share=settings.free_share,
        most_per_image=settings.most_per_image,
        least_per_second=settings.least_per_hour / 3600.0,
        margin=settings.margin,
        max_age_seconds=settings.max_age_seconds,
    )


def our_size(rules: WarmRules) -> Size:
    """What the agent does."""
    return lambda rates, occupancy: size_pool(
        rates, spawn_seconds=SPAWN_SECONDS, occupancy=occupancy, rules=rules
    )


def fixed_size(rules: WarmRules) -> Size:
    """Three for each image that is hot enough, the hottest first, as far as there is room."""

    def size(rates: Mapping[str, float], occupancy: Occupancy) -> Mapping[str, int]:
        hot = [key for key, rate in rates.items() if rate >= rules.least_per_second]
        hot.sort(key=lambda key: -rates[key])
        return dict.fromkeys(hot[: room_to_start(occupancy, rules) // FIXED], FIXED)

    return size


def _trace(days: float) -> Trace:
    path = os.environ.get("BINDERFED_TRACE")
    return read_trace(Path(path)).first_days(days) if path else make_synthetic(days=days, seed=1)


def _arrivals(trace: Trace, rng: Random) -> Iterator[tuple[float, ImageKey]]:
    """The member's part, each minute's launches spread over it."""
    of_minute: list[tuple[float, ImageKey]] = []
    minute = 0
    for at, spec in zip(trace.minutes, trace.specs, strict=True):
        if at != minute:
            yield from sorted(of_minute)
            of_minute, minute = [], at
        if rng.random() < PART:
            of_minute.append((60.0 * at + rng.uniform(0, 60), ImageKey(str(spec))))
    yield from sorted(of_minute)


def _percent(value: float, yardstick: float) -> tuple[float, str, float]:
    return 100 * value, "%", 100 * yardstick


def _wasted_share(figures: Figures) -> float:
    return sum(figures.wasted.values()) / max(1, figures.started)


def _refused(figures: Figures) -> float:
    return figures.refused / figures.launches
