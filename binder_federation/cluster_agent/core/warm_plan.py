"""What to change in the pool of warm servers: which to start, which to remove, and why.

`warm_sizing.py` says how many there should be. A server that is there is paid for: one
too many stays until it is old, unless its place is needed, for another image's or for
visitors. Neighbours: `warm/pool.py` holds the servers and does what is planned here.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Waste(StrEnum):
    """Why a warm server was removed unused; a metric's label."""

    OLD = "old"
    IMAGE_GONE = "image_gone"
    SURPLUS = "surplus"
    """Its place was needed for another image's."""
    PRESSURE = "pressure"
    """Sessions have nearly filled the member."""
    GAVE_WAY = "gave_way"
    """All places were taken when a visitor came."""
    DEAD = "dead"
    NOT_RECORDED = "not_recorded"
    """The hub could not note that it was handed out."""
    NOT_STARTED = "not_started"
    UNACCOUNTED = "unaccounted"
    """An earlier run of the agent started it."""
    STOPPING = "stopping"
    ABANDONED = "abandoned"
    """Its visitor left while it was handed out."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A warm server that nobody has taken."""

    name: str
    image: str
    age_seconds: float
    is_ready: bool


@dataclass(frozen=True, slots=True)
class Room:
    """How many there may be."""

    to_start: int
    """In all, so that one more may be started."""
    to_keep: int
    """In all; what is beyond that goes."""
    starts: int
    """That may begin now."""


@dataclass(frozen=True, slots=True)
class WarmPlan:
    """What to do: `start` names images, `remove` servers."""

    start: tuple[str, ...]
    remove: tuple[tuple[str, Waste], ...]


def plan_pool(
    waiting: Sequence[Waiting],
    wanted: Mapping[str, int],
    *,
    images: Collection[str],
    room: Room,
    max_age_seconds: float,
) -> WarmPlan:
    """From what is `waiting` towards what is `wanted` of the `images` that there are."""
    spent = [(each.name, _spent(each, images, max_age_seconds)) for each in waiting]
    remove = {name: why for name, why in spent if why is not None}
    stays = [each for each in waiting if each.name not in remove]
    pressed = order_to_go(stays, wanted)[: max(0, len(stays) - room.to_keep)]
    remove |= dict.fromkeys(pressed, Waste.PRESSURE)
    stays = [each for each in stays if each.name not in remove]
    missing = _missing(stays, wanted, images)[: max(0, room.starts)]
    surplus = _surplus(stays, wanted)[: max(0, len(stays) + len(missing) - room.to_start)]
    remove |= dict.fromkeys(surplus, Waste.SURPLUS)
    starts = max(0, room.to_start - (len(stays) - len(surplus)))
    return WarmPlan(tuple(missing[:starts]), tuple(remove.items()))


def order_to_go(
    waiting: Sequence[Waiting], wanted: Mapping[str, int], *, spare: str = ""
) -> list[str]:
    """The servers in the order in which they go when places are needed; `spare`'s go last.

    What is beyond what its image wants goes first, then what is still starting, then the oldest.
    """
    surplus = set(_surplus(waiting, wanted))

    def rank(each: Waiting) -> tuple[bool, bool, bool, float]:
        is_wanted = each.name not in surplus
        return each.image == spare, is_wanted, each.is_ready, -each.age_seconds

    return [each.name for each in sorted(waiting, key=rank)]


def _spent(each: Waiting, images: Collection[str], max_age_seconds: float) -> Waste | None:
    if each.image not in images:
        return Waste.IMAGE_GONE
    return Waste.OLD if each.age_seconds >= max_age_seconds else None


def _missing(
    waiting: Iterable[Waiting], wanted: Mapping[str, int], images: Collection[str]
) -> list[str]:
    """Images, each as often as it lacks servers; those that lack most of theirs first."""
    there = Counter(each.image for each in waiting)
    lacking = [
        (have / servers, image)
        for image, servers in wanted.items()
        if image in images
        for have in range(there[image], servers)
    ]
    return [image for _, image in sorted(lacking)]


def _surplus(waiting: Iterable[Waiting], wanted: Mapping[str, int]) -> list[str]:
    """The servers that their images do not want, oldest first."""
    seen: Counter[str] = Counter()
    beyond: list[str] = []
    for each in sorted(waiting, key=lambda one: (not one.is_ready, one.age_seconds)):
        seen[each.image] += 1
        if seen[each.image] > wanted.get(each.image, 0):
            beyond.append(each.name)
    return beyond[::-1]
