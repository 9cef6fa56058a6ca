"""What happens whatever is decided: launches, the images that they need, what these take.

Arrivals are spread within their minute. A repository that moves gets commits at its own
pace, and what is launched after one needs a new image; two specs of a repository are two
images. Everything is drawn from the seed and the thing it belongs to (`draws.py`).
"""

from array import array
from dataclasses import dataclass
from hashlib import blake2b
from random import Random

from binder_federation.binder.spec import ImageKey
from binder_federation.federation.simulation.draws import lognormal, rng_for
from binder_federation.federation.simulation.settings import DAY_SECONDS, WorldSettings
from binder_federation.federation.simulation.trace import Trace

MINUTE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Image:
    """One image and what it takes. `id` counts from 0 by first launch."""

    id: int
    key: ImageKey
    repository: int
    affinity_key: str
    size_bytes: int
    build_seconds: float
    """From nothing, without the push."""
    transfer_seconds: float
    """To push it, and to pull it."""


@dataclass(frozen=True, slots=True)
class World:
    """One seed's launches in time order (columns of one length) and images."""

    seed: int
    name: str
    settings: WorldSettings
    at: "array[float]"
    """When each launch comes."""
    image: "array[int]"
    spawn: "array[float]"
    """Seconds that its server takes to start at a member without load."""
    session: "array[float]"
    """Seconds that its session lasts."""
    replica: "array[int]"
    """A draw from 0 to 255 that says which replica it comes to."""
    images: tuple[Image, ...]

    def __len__(self) -> int:
        return len(self.at)

    @property
    def seconds(self) -> float:
        """When the last launch comes."""
        return self.at[-1]


def make_world(trace: Trace, settings: WorldSettings, *, seed: int) -> World:
    """The world of `seed`: the trace, with all that it does not say."""
    at = _spread_in_minutes(trace, rng_for(seed, "arrivals"))
    image_ids, images = _Images(settings, seed).name(trace, at)
    spawn, session, replica = (rng_for(seed, what) for what in ("spawn", "session", "replica"))
    launches = range(len(at))
    return World(
        seed=seed,
        name=trace.name,
        settings=settings,
        at=at,
        image=image_ids,
        spawn=array(
            "d",
            (
                lognormal(spawn, settings.spawn_median_seconds, settings.spawn_spread)
                for _ in launches
            ),
        ),
        session=array("d", (_session_seconds(session, settings) for _ in launches)),
        replica=array("B", replica.randbytes(len(at))),
        images=images,
    )


def _spread_in_minutes(trace: Trace, rng: Random) -> "array[float]":
    return array("d", sorted((minute + rng.random()) * MINUTE_SECONDS for minute in trace.minutes))


def _session_seconds(rng: Random, settings: WorldSettings) -> float:
    further = lognormal(rng, settings.session_median_seconds, settings.session_spread)
    return min(settings.session_most_seconds, settings.session_base_seconds + further)


class _Commits:
    """How many commits a repository has had: asked with times that never go back."""

    def __init__(self, repository: int, settings: WorldSettings, seed: int) -> None:
        self._rng = rng_for(seed, "commits", repository)
        moves = self._rng.random() < settings.moving_share
        days = lognormal(self._rng, settings.commit_median_days, settings.commit_spread)
        self._gap_seconds = days * DAY_SECONDS
        self._next_at = self._draw(0.0) if moves else float("inf")
        self._count = 0

    def count(self, now: float) -> int:
        while self._next_at <= now:
            self._count += 1
            self._next_at = self._draw(self._next_at)
        return self._count

    def _draw(self, after: float) -> float:
        return after + self._rng.expovariate(1.0 / self._gap_seconds)


class _Images:
    """Names each launch's image: its spec, and the commits that its repository had by then."""

    def __init__(self, settings: WorldSettings, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._commits: dict[int, _Commits] = {}
        self._ids: dict[tuple[int, int], int] = {}
        self._images: list[Image] = []

    def name(self, trace: Trace, at: "array[float]") -> "tuple[array[int], tuple[Image, ...]]":
        ids = array("l", map(self._id, trace.repositories, trace.specs, at))
        return ids, tuple(self._images)

    def _id(self, repository: int, spec: int, now: float) -> int:
        commits = self._commits.get(repository)
        if commits is None:
            commits = self._commits[repository] = _Commits(repository, self._settings, self._seed)
        version = spec, commits.count(now)
        found = self._ids.get(version)
        if found is None:
            found = self._ids[version] = len(self._images)
            self._images.append(self._make(found, repository, version))
        return found

    def _make(self, number: int, repository: int, version: tuple[int, int]) -> Image:
        settings, rng = self._settings, rng_for(self._seed, "image", *version)
        size = lognormal(rng, settings.size_median_bytes, settings.size_spread)
        key = blake2b(f"{version[0]}@{version[1]}".encode(), digest_size=16).hexdigest()
        return Image(
            id=number,
            key=ImageKey(key),
            repository=repository,
            affinity_key=f"gh:repository-{repository}",
            size_bytes=round(size),
            build_seconds=lognormal(rng, settings.build_median_seconds, settings.build_spread),
            transfer_seconds=settings.transfer_seconds(size),
        )
