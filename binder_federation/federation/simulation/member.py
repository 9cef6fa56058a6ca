"""A member as it really is: its sessions, its images, its builds.

A launch has its place from the moment the member takes it, also while its image is built
(as cluster agents do). A log of the load's changes answers what a report said, which is
asked for later.
"""

from array import array
from bisect import bisect_right

from binder_federation.federation.simulation.build_line import BuildLine
from binder_federation.federation.simulation.image_cache import ImageCache
from binder_federation.federation.simulation.registries import Replication
from binder_federation.federation.simulation.settings import DAY_SECONDS, WorldSettings
from binder_federation.federation.simulation.world import Image

LOG_LENGTH = 4096
"""Changes of a load are kept for at least half of so many, far longer than a report is late."""


class SimMember:
    """The true state of one member. Times are simulated seconds."""

    def __init__(
        self,
        name: str,
        *,
        index: int,
        slots: int,
        build_slots: int,
        cache_bytes: float,
        replication: Replication | None,
        settings: WorldSettings,
        is_present: bool = True,
    ) -> None:
        self.name = name
        self.index = index
        self.slots = slots
        self.build_slots = build_slots
        self.used = 0
        self.is_up = is_present
        self.is_present = is_present
        """Whether it belongs to the federation yet."""
        self.epoch = 0
        """Counts its losses: what began before one ends without a trace."""
        self.cache = ImageCache(cache_bytes)
        self.builds = BuildLine(build_slots)
        self._pulled_at: dict[int, float] = {}
        self._registry: set[int] = set()
        self._replication = replication
        self._built_repository_at: dict[int, float] = {}
        self._rebuild_factor = settings.rebuild_factor
        self._memory_seconds = settings.rebuild_memory_days * DAY_SECONDS
        self._log_at = array("d", [-1.0])
        self._log = [(0, 0)]
        self.observers: list[set[int]] = []
        """Each is told the member's index when its load changed."""

    @property
    def is_full(self) -> bool:
        """Whether no session fits."""
        return self.used >= self.slots

    @property
    def utilisation(self) -> float:
        """The used share of its slots."""
        return self.used / self.slots

    def note_load(self, now: float) -> None:
        """Its load changed: keep that for its reports."""
        self._log_at.append(now)
        self._log.append((self.used, len(self.builds)))
        for observer in self.observers:
            observer.add(self.index)
        if len(self._log) > LOG_LENGTH:
            del self._log_at[: LOG_LENGTH // 2], self._log[: LOG_LENGTH // 2]

    @property
    def load_now(self) -> tuple[int, int]:
        """Sessions and builds, as the last change left them."""
        return self._log[-1]

    def load_at(self, at: float) -> tuple[int, int]:
        """Sessions and builds (also those in line) at a time not long ago."""
        return self._log[bisect_right(self._log_at, at) - 1]

    def take(self, now: float) -> None:
        """A launch takes a place."""
        self.used += 1
        self.note_load(now)

    def leave(self, now: float) -> None:
        """A session ends."""
        self.used -= 1
        self.note_load(now)

    def holds(self, image: Image, now: float) -> bool:
        """Whether a launch needs no build here."""
        return image.id in self.cache or self.is_in_registry(image, now)

    def is_in_registry(self, image: Image, now: float) -> bool:
        """Whether the image can be pulled here."""
        replication = self._replication
        return image.id in self._registry or (
            replication is not None and replication.has(image.id, now)
        )

    def pull(self, image: Image, now: float, *, factor: float = 1.0) -> tuple[float, list[int]]:
        """Get an image from the registry: the seconds it takes, and the images that had to go."""
        seconds = factor * image.transfer_seconds
        self._pulled_at[image.id] = now + seconds
        return seconds, self.cache.put(image.id, image.size_bytes)

    def seconds_to_pulled(self, image_id: int, now: float) -> float:
        """Until an image of the cache is all there: somebody's pull may be under way."""
        at = self._pulled_at.get(image_id)
        if at is None:
            return 0.0
        if at <= now:
            del self._pulled_at[image_id]
            return 0.0
        return at - now

    def build_factor(self, repository: int, now: float) -> float:
        """What a build takes here now, as a share of one from nothing."""
        at = self._built_repository_at.get(repository)
        is_rebuild = at is not None and now - at <= self._memory_seconds
        return self._rebuild_factor if is_rebuild else 1.0

    def note_built(self, image: Image, now: float) -> None:
        """A build of its own is in the registry now."""
        self._registry.add(image.id)
        self._built_repository_at[image.repository] = now
        if self._replication is not None:
            self._replication.note_pushed(image.id, now)

    def seconds_to_image(self, image: Image, now: float) -> float:
        """Until the image is where sessions start, if a launch of it comes now."""
        if image.id in self.cache:
            return max(0.0, self._pulled_at.get(image.id, 0.0) - now)
        if self.is_in_registry(image, now):
            return image.transfer_seconds
        factor = self.build_factor(image.repository, now)
        work = factor * (image.build_seconds + image.transfer_seconds)
        under_way = self.builds.by_image.get(image.id)
        if under_way is None:
            return self.builds.seconds_to_start(now) + work + factor * image.transfer_seconds
        if under_way.done_at:
            return under_way.done_at - now + image.transfer_seconds
        return self.builds.seconds_to_start(now) + work + image.transfer_seconds
