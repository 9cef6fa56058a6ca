"""A member's builds: so many at once, the others in line. A build has any number of watchers."""

from collections import deque
from heapq import heapify, heapreplace

from binder_federation.federation.simulation.launch import Launch
from binder_federation.federation.simulation.world import Image


class Build:
    """One image being built, or in line for it, at one member."""

    __slots__ = ("copied_for", "done_at", "image", "is_duplicate", "started_at", "waiting")

    def __init__(self, image: Image, *, is_duplicate: bool) -> None:
        self.image = image
        self.is_duplicate = is_duplicate
        """Whether some member built this image before, or is building it."""
        self.copied_for: int | None = None
        """The replica that asked for it in the background, ahead of need."""
        self.started_at = self.done_at = 0.0
        self.waiting: list[tuple[Launch, float]] = []
        """Launches that wait for it, and since when."""

    @property
    def replicas(self) -> set[int]:
        """The replicas that follow it."""
        following = {launch.replica for launch, _ in self.waiting}
        return following if self.copied_for is None else {*following, self.copied_for}


class BuildLine:
    """Build slots, and the line for them."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._in_line: deque[Build] = deque()
        self.running: dict[int, Build] = {}
        self.by_image: dict[int, Build] = {}
        """All of them, running and in line."""

    def __len__(self) -> int:
        return len(self.by_image)

    def add(self, build: Build) -> None:
        """One more in line."""
        self.by_image[build.image.id] = build
        self._in_line.append(build)

    def next_to_start(self) -> Build | None:
        """The build that can start now, out of the line."""
        if not self._in_line or len(self.running) >= self._slots:
            return None
        build = self._in_line.popleft()
        self.running[build.image.id] = build
        return build

    def remove(self, build: Build) -> None:
        """It ended."""
        del self.running[build.image.id]
        del self.by_image[build.image.id]

    def clear(self) -> list[Build]:
        """All of them break off."""
        broken = list(self.by_image.values())
        self.by_image.clear()
        self.running.clear()
        self._in_line.clear()
        return broken

    def seconds_to_start(self, now: float) -> float:
        """Until a further build would start, if those in line build from nothing."""
        if len(self.running) < self._slots:
            return 0.0
        ends = [build.done_at for build in self.running.values()]
        heapify(ends)
        for build in self._in_line:
            image = build.image
            heapreplace(ends, ends[0] + image.build_seconds + image.transfer_seconds)
        return max(0.0, ends[0] - now)
