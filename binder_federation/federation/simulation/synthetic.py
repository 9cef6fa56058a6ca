"""A synthetic trace with the statistics of mybinder.org's launches in 2018 and 2019.

One repository has 43 % of all launches, the first ten have 73 %, the first thousand 93 %
(the design's "The load"). One launch in a hundred is of something new, which is launched
again for a while and then forgotten. Days and nights, working days, and bursts: somebody
shows a repository to a room full of people.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import cos, exp, pi, sqrt
from random import Random

from binder_federation.federation.simulation.draws import rng_for
from binder_federation.federation.simulation.settings import SimulationError
from binder_federation.federation.simulation.trace import MINUTES_A_DAY, Trace, make_trace

PER_DAY = 12_843
FIRST_SHARE, TEN_SHARE, THOUSAND_SHARE = 0.43, 0.73, 0.93
NEW_SHARE = 0.01
DAY_SWING = 0.4
"""How far days are above and nights below the mean."""
BUSIEST_HOUR = 14
WEEKEND_SHARE = 0.6
BURSTS_A_DAY = 1.5
BURST_LAUNCHES = 60
BURST_MINUTES = 10
RECENT = 400
"""New repositories that may still be launched again."""
ECHO_SHARE = 0.5
"""Of the launches outside the first ten: those of something that was launched lately, too."""
ECHO_MINUTES = 40
SECOND_SPEC_SHARE = 0.03
"""Launches of a repository's second spec."""


@dataclass(slots=True)
class _Burst:
    repository: str
    launches_left: int
    per_minute: int


def make_synthetic(*, days: float, seed: int, per_day: float = PER_DAY) -> Trace:
    """A trace of so many days, with `per_day` launches in the mean."""
    if days <= 0 or per_day <= 0:
        raise SimulationError("A synthetic trace needs days, and launches on them.")
    rows = _Rows(rng_for(seed, "trace"), days=days, per_day=per_day)
    return make_trace(f"synthetic, {days:g} days", rows.all())


class _Rows:
    def __init__(self, rng: Random, *, days: float, per_day: float) -> None:
        self._rng = rng
        self._minutes = max(1, round(days * MINUTES_A_DAY))
        self._per_minute = per_day / MINUTES_A_DAY
        self._ranks = list(accumulate(_shares()))
        self._recent: list[str] = []
        self._made = 0
        self._lately: deque[tuple[int, str]] = deque()
        self._bursts: list[_Burst] = []

    def all(self) -> Iterator[tuple[int, str, str]]:
        yield 0, "0", "0"  # the trace begins when it says
        for minute in range(self._minutes):
            for repository in self._launched_in(minute):
                is_second = self._rng.random() < SECOND_SPEC_SHARE
                yield minute, repository, f"{repository}/{int(is_second)}"

    def _launched_in(self, minute: int) -> Iterator[str]:
        for _ in range(_poisson(self._rng, self._per_minute * _season(minute))):
            yield self._any_repository(minute)
        if self._rng.random() < BURSTS_A_DAY / MINUTES_A_DAY:
            self._bursts.append(self._burst())
        for burst in self._bursts:
            burst.launches_left -= burst.per_minute
            yield from [burst.repository] * burst.per_minute
        self._bursts = [burst for burst in self._bursts if burst.launches_left > 0]

    def _any_repository(self, minute: int) -> str:
        draw = self._rng.random()
        if draw < TEN_SHARE:
            return str(bisect_right(self._ranks, draw))
        while self._lately and self._lately[0][0] < minute - ECHO_MINUTES:
            self._lately.popleft()
        if self._lately and self._rng.random() < ECHO_SHARE:
            repository = self._rng.choice(self._lately)[1]
        elif draw < self._ranks[-1]:
            repository = str(bisect_right(self._ranks, draw))
        else:
            repository = self._rare_repository(draw)
        self._lately.append((minute, repository))
        return repository

    def _rare_repository(self, draw: float) -> str:
        if draw > 1.0 - NEW_SHARE / (1.0 - ECHO_SHARE) or not self._recent:
            self._made += 1
            self._recent = [*self._recent[-RECENT:], f"new-{self._made}"]
            return self._recent[-1]
        # The newer, the likelier.
        back = int(self._rng.expovariate(4.0 / len(self._recent)))
        return self._recent[-1 - back % len(self._recent)]

    def _burst(self) -> _Burst:
        launches = 1 + int(self._rng.expovariate(1.0 / BURST_LAUNCHES))
        repository = str(self._rng.randrange(20, 1000))
        return _Burst(repository, launches, max(1, launches // BURST_MINUTES))


def _shares() -> list[float]:
    """Of the first thousand repositories, by rank."""
    nine = _zipf(9, TEN_SHARE - FIRST_SHARE, exponent=1.0)
    return [FIRST_SHARE, *nine, *_zipf(990, THOUSAND_SHARE - TEN_SHARE, exponent=0.9)]


def _zipf(count: int, total: float, *, exponent: float) -> list[float]:
    weights = [(rank + 1.0) ** -exponent for rank in range(count)]
    return [total * weight / sum(weights) for weight in weights]


def _season(minute: int) -> float:
    """How busy this minute is; 1 in the mean of a week."""
    hour, day = minute / 60 % 24, minute // MINUTES_A_DAY % 7
    of_day = WEEKEND_SHARE if day >= 5 else 1.0
    in_week = (5 + 2 * WEEKEND_SHARE) / 7
    return (1.0 + DAY_SWING * cos(2 * pi * (hour - BUSIEST_HOUR) / 24)) * of_day / in_week


def _poisson(rng: Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(rng.gauss(mean, sqrt(mean))))
    product, count, floor = rng.random(), 0, exp(-mean)
    while product > floor:
        product *= rng.random()
        count += 1
    return count
