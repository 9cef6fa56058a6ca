"""How many warm servers each image should have.

Each visitor takes one, and starting another takes S seconds. With λ visitors a second
a = λ·S are being replaced on average, so an image is given

    n = ⌈a + margin·√a⌉        for λ ≥ the least rate, at most `most_per_image`

A visitor finds none when all n are being replaced just then, and is served the usual
way. That is Erlang's loss system (n lines, a erlangs offered; Erlang 1917), whatever the
distribution of S, so the share of visitors who find one is 1 − B(n, a):

    B(0, a) = 1,   B(n, a) = a·B(n−1, a) / (n + a·B(n−1, a))

With a margin of 3 that is 0.98 at least from a = 1 on, and 0.91 at the worst below it (one
server at a = 0.09), if visitors come independently; when they come in bursts it is less
(docs/warm-servers.md has what a trace came to). Where all together are too many for the
member, servers go where they are used most: the n-th one of an image serves
a·(B(n−1, a) − B(n, a)) / S visitors a second, less than the one before it.

Neighbours: `arrivals.py` has the rates, `warm_plan.py` makes changes of these numbers.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, floor, sqrt

_ROUNDING = 1e-9
"""A tenth of 50 shall be 5, also where it comes to 4.999…"""


@dataclass(frozen=True, slots=True)
class WarmRules:
    """The limits that an operator sets."""

    is_on: bool = True
    share: float = 0.1
    """Of the capacity, for all warm servers together."""
    free_share: float = 0.1
    """Of the capacity, kept free of sessions and warm servers."""
    most_per_image: int = 20
    least_per_second: float = 1.0 / 600.0
    margin: float = 3.0
    max_age_seconds: float = 1800.0


@dataclass(frozen=True, slots=True)
class Occupancy:
    """The places of a member; `sessions` are real ones, also those that are starting."""

    capacity: int
    sessions: int


def size_pool(
    rates: Mapping[str, float],
    *,
    spawn_seconds: float,
    occupancy: Occupancy,
    rules: WarmRules,
) -> Mapping[str, int]:
    """Warm servers for each image that is to have any. `rates` are launches per second."""
    wanted = {
        image: servers
        for image, per_second in rates.items()
        if (servers := wanted_servers(per_second, spawn_seconds=spawn_seconds, rules=rules))
    }
    room = room_to_start(occupancy, rules)
    if sum(wanted.values()) <= room:
        return wanted
    offered = {image: rates[image] * spawn_seconds for image in wanted}
    return _share_out(wanted, offered, room)


def wanted_servers(per_second: float, *, spawn_seconds: float, rules: WarmRules) -> int:
    """Warm servers for an image that is launched so often, were it alone."""
    if not rules.is_on or per_second < rules.least_per_second:
        return 0
    offered = per_second * spawn_seconds
    servers = ceil(offered + rules.margin * sqrt(offered) - _ROUNDING)
    return min(rules.most_per_image, max(1, servers))


def room_to_start(occupancy: Occupancy, rules: WarmRules) -> int:
    """Warm servers that there may be before no more are started."""
    return _room(occupancy, rules, free_share=rules.free_share)


def room_to_keep(occupancy: Occupancy, rules: WarmRules) -> int:
    """Warm servers that need not go. It is more than what may be started: a session
    more or less shall not end servers that are started anew a moment later."""
    return _room(occupancy, rules, free_share=rules.free_share / 2)


def hit_share(servers: int, offered: float) -> float:
    """Of the visitors, how many find one of `servers` waiting; `offered` is rate × seconds."""
    return 1.0 - _losses(servers, offered)[servers]


def _room(occupancy: Occupancy, rules: WarmRules, *, free_share: float) -> int:
    if not rules.is_on:
        return 0
    of_share = floor(rules.share * occupancy.capacity + _ROUNDING)
    below_pressure = floor((1.0 - free_share) * occupancy.capacity + _ROUNDING)
    return max(0, min(of_share, below_pressure - occupancy.sessions))


def _share_out(
    wanted: Mapping[str, int], offered: Mapping[str, float], room: int
) -> Mapping[str, int]:
    """`room` servers, each where it is used most."""
    candidates = (
        (used, image)
        for image, servers in wanted.items()
        for used in _uses(servers, offered[image])
    )
    best = sorted(candidates, key=lambda each: (-each[0], each[1]))[:room]
    return Counter(image for _, image in best)


def _uses(servers: int, offered: float) -> Iterable[float]:
    """How much each of the servers is used, the first one first."""
    losses = _losses(servers, offered)
    return (offered * (losses[n - 1] - losses[n]) for n in range(1, servers + 1))


def _losses(servers: int, offered: float) -> list[float]:
    """Erlang's B for 0, 1, …, `servers` lines."""
    return list(_erlang_b(servers, offered))


def _erlang_b(servers: int, offered: float) -> Iterator[float]:
    loss = 1.0
    yield loss
    for lines in range(1, servers + 1):
        loss = offered * loss / (lines + offered * loss)
        yield loss
