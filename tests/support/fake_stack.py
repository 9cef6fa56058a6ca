"""A stack whose builds are scripted, whose images are in memory and whose hub is `FakeHub`."""

import asyncio
from collections.abc import Sequence

from binder_federation.binder.events import Phase
from binder_federation.binder.messages import CheckRecord, ImageRecord
from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.stacks.base import BuildPlan, BuildProgress, Image, Room
from tests.support.fake_hub import FakeHub


class FakeImages:
    """An `ImageStore`; `limit` is a number of images."""

    def __init__(self) -> None:
        self.images: dict[ImageKey, Image] = {}
        self.limit = 1000
        self.launched: list[ImageKey] = []
        self.brought_near: list[ImageKey] = []
        self.kept_for: list[frozenset[str]] = []
        """What was in use whenever room was made."""

    def add(self, plan: BuildPlan) -> Image:
        """The image of `plan` is there."""
        image = Image(plan.key, f"fake/{plan.key}", plan.spec.affinity_key, 1_000_000)
        self.images[plan.key] = image
        return image

    async def find(self, key: ImageKey) -> Image | None:
        return self.images.get(key)

    async def bring_near(self, image: Image) -> None:
        self.brought_near.append(image.key)

    async def list_images(self) -> Sequence[ImageRecord]:
        return [
            ImageRecord(key=image.key, repository=image.repository, size_bytes=image.size_bytes)
            for image in self.images.values()
        ]

    async def note_launch(self, key: ImageKey) -> None:
        self.launched.append(key)

    async def ensure_room(self, *, in_use: frozenset[str]) -> Sequence[ImageKey]:
        self.kept_for.append(in_use)
        removable = [key for key, image in self.images.items() if image.reference not in in_use]
        removed = removable[: max(0, len(self.images) - self.limit)]
        for key in removed:
            del self.images[key]
        return removed


class FakeBuilder:
    """A `Builder` that does what the test says."""

    def __init__(self, images: FakeImages) -> None:
        self._images = images
        self.plans: list[BuildPlan] = []
        """Every build that was begun."""
        self.running = 0
        self.most_running = 0
        self.cancelled = 0
        self.lines: Sequence[str] = ("Collecting six", "Installed six")
        self.lines_between_pauses = 100
        self.failure: Exception | None = None
        self.may_finish = asyncio.Event()
        """A build ends only when this is set; it is, unless the test clears it."""
        self.may_finish.set()

    async def build(self, plan: BuildPlan, progress: BuildProgress) -> Image:
        self.plans.append(plan)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            return await self._build(plan, progress)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    async def _build(self, plan: BuildPlan, progress: BuildProgress) -> Image:
        progress.enter(Phase.FETCHING, f"Fetching {plan.spec.repository}")
        await asyncio.sleep(0)
        progress.enter(Phase.BUILDING, "Building the environment")
        for number, line in enumerate(self.lines):
            progress.log(line)
            if number % self.lines_between_pauses == self.lines_between_pauses - 1:
                await asyncio.sleep(0)
        await self.may_finish.wait()
        if self.failure is not None:
            raise self.failure
        return self._images.add(plan)


class FakeStack:
    """The whole stack; closing it closes its hub."""

    def __init__(self) -> None:
        self.images = FakeImages()
        self.builder = FakeBuilder(self.images)
        self.hub = FakeHub()
        self.default_capacity = 50
        self.check_results = [CheckRecord(service="JupyterHub API", ok=True)]
        self.room = Room()
        self.further_build_seconds = 0.0
        self.tidied_for: list[frozenset[ServerName] | None] = []
        self.start_failure: Exception | None = None
        self.is_closed = False
        self._is_started = False

    async def start(self) -> None:
        if self.start_failure is not None:
            raise self.start_failure
        await self.hub.__aenter__()
        self._is_started = True

    async def checks(self) -> Sequence[CheckRecord]:
        return self.check_results

    def note_full(self) -> None:
        self.room = Room(sessions=0)

    async def tidy(self, *, known_servers: frozenset[ServerName] | None) -> None:
        self.tidied_for.append(known_servers)

    async def aclose(self) -> None:
        self.is_closed = True
        if self._is_started:
            await self.hub.__aexit__()
