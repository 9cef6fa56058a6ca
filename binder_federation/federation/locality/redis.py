"""The locality store of several replicas: a mirror in memory, kept true through Redis.

Reads are answered by the mirror; only when it knows nothing of an image Redis is asked,
once, within the deadline of a launch. Writes change the mirror at once and reach Redis
and the other replicas in the background. Without Redis all of this goes on: the mirror
serves, leases are this replica's own, and writes wait.
"""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterable

from binder_federation.binder.messages import ImageRecord
from binder_federation.binder.spec import ImageKey
from binder_federation.federation.locality.contract import LEASE_SECONDS, ImageFacts, Lease
from binder_federation.federation.locality.fact_news import Changes, Reload, Written, decode
from binder_federation.federation.locality.fact_writer import MOST_WAITING, FactWriter
from binder_federation.federation.locality.loader import MirrorLoader
from binder_federation.federation.locality.mirror import Mirror
from binder_federation.federation.locality.miss_reader import MissReader
from binder_federation.federation.locality.packing import day_at, pack_repository
from binder_federation.federation.locality.records import MirrorWriter
from binder_federation.federation.locality.redis_leases import RedisLeases
from binder_federation.federation.locality.rewriter import Rewriter
from binder_federation.federation.locality.touched import Touched
from binder_federation.federation.locality.upkeep import Upkeep, Work
from binder_federation.federation.shared.bus import Bus, Topic
from binder_federation.federation.shared.connection import RedisConnection
from binder_federation.federation.shared.position import Lost
from binder_federation.runtime.tasks import BackgroundTasks

SWEEP_EVERY_SECONDS = 6 * 3600.0
_RECORDS_AT_ONCE = 500


class RedisLocalityStore:
    """A `LocalityStore` in Redis. `start` begins its tasks; it serves before they are done."""

    def __init__(
        self,
        *,
        connection: RedisConnection,
        bus: Bus,
        tasks: BackgroundTasks,
        clock: Callable[[], float] = time.time,
        lease_seconds: float = LEASE_SECONDS,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self.mirror = Mirror()
        self._tasks = tasks
        self._clock = clock
        self._touched = Touched()
        self._unwritten: set[str] = set()
        self._writer = FactWriter(
            connection=connection,
            bus=bus,
            mirror=self.mirror,
            on_overflow=self._overflowed,
            most_waiting=most_waiting,
        )
        self._leases = RedisLeases(
            connection=connection, bus=bus, tasks=tasks, lease_seconds=lease_seconds
        )
        self._records = MirrorWriter(
            mirror=self.mirror, changed=self._writer.changed, touched=self._touched
        )
        self._misses = MissReader(
            connection=connection,
            mirror=self.mirror,
            leases=self._leases,
            is_newer=self._writer.is_waiting,
            tasks=tasks,
        )
        self._upkeep = Upkeep(
            connection=connection,
            bus=bus,
            loader=MirrorLoader(
                connection=connection,
                mirror=self.mirror,
                touched=self._touched,
                waiting=self._writer.waiting,
                on_stale=self._writer.changed,
            ),
            rewriter=Rewriter(connection=connection, mirror=self.mirror),
            leases=self._leases,
            clock=clock,
        )
        bus.subscribe(Topic.FACTS, self._hear)
        connection.metrics.mirror_images.set_function(lambda: len(self.mirror.images))
        connection.metrics.mirror_facts.set_function(lambda: self.mirror.images.value_count)

    def start(self) -> None:
        """Begin to read all facts, and to write what changes."""
        self._upkeep.want(Work.LOAD)
        self._writer.start(self._tasks)
        self._leases.start()
        self._tasks.start(self._upkeep.run(), name="redis upkeep")
        self._tasks.run_periodically(
            self._sweep, every_seconds=SWEEP_EVERY_SECONDS, name="mirror sweep"
        )

    def lost(self, why: Lost, *, epoch: str = "") -> None:
        """Redis has lost facts, or we have missed news. `epoch` names the loss for all."""
        if why is Lost.TRIMMED:
            self._upkeep.want(Work.LOAD_WHOLE)
            return
        self._unwritten.update(self.mirror.members())
        self._upkeep.want(Work.RETAKE_LEASES)
        self._upkeep.want(Work.REWRITE, name=epoch or uuid.uuid4().hex)

    def needs_whole_inventory(self, member: str) -> bool:
        """Whether the member should send all its images again, as Redis has lost some."""
        return member in self._unwritten

    async def settle(self, *, within_seconds: float) -> bool:
        """Wait until Redis has all that is known here, and the other way round; whether it was
        in time."""
        try:
            async with asyncio.timeout(within_seconds):
                await self._upkeep.settle()
                return await self._writer.settle(within_seconds=within_seconds)
        except TimeoutError:
            return False

    async def facts(self, image_key: ImageKey, affinity_key: str, *, now: float) -> ImageFacts:
        """What is known of the image, and of the repository that `affinity_key` names.

        Waits 25 ms at most, and only when nothing is known of the image.
        """
        key, repository = bytes.fromhex(image_key), pack_repository(affinity_key)
        found = self._known(image_key, key, repository, now)
        if found.holders or found.building_since:
            return found
        if not await self._misses.look(image_key, key, repository):
            return found
        return self._known(image_key, key, repository, now)

    async def replace_inventory(
        self, member: str, images: Iterable[ImageRecord], *, now: float
    ) -> None:
        """`images` are all that the member holds; what else was known of it is gone."""
        is_unwritten = member in self._unwritten
        self._touched.whole(member)
        held: set[bytes] = set()
        for count, record in enumerate(images, start=1):
            held.add(self._records.put(member, record, now=now, is_unwritten=is_unwritten))
            if count % _RECORDS_AT_ONCE == 0:
                await asyncio.sleep(0)
        for keys in self.mirror.keys_of(member):
            for key in keys:
                if key not in held:
                    self._records.drop(member, key)
            await asyncio.sleep(0)
        if is_unwritten:
            self._unwritten.discard(member)
            self._writer.whole_inventory_waits(member)

    async def apply_changes(
        self, member: str, images: Iterable[ImageRecord], removed: Iterable[str], *, now: float
    ) -> None:
        """`images` are new or changed at the member, the keys in `removed` are gone there."""
        for key in removed:
            self._records.drop(member, bytes.fromhex(key))
        for record in images:
            self._records.put(member, record, now=now)

    async def note_image(self, member: str, record: ImageRecord, *, now: float) -> None:
        """The member holds this image. A size of 0 leaves the size that is known."""
        self._records.put(member, record, now=now)

    async def forget_image(self, member: str, image_key: ImageKey) -> None:
        """The member does not hold this image."""
        self._records.drop(member, bytes.fromhex(image_key))

    async def forget_member(self, member: str) -> None:
        """Nothing is known of the member, and it builds nothing."""
        for keys in self.mirror.keys_of(member):
            for key in keys:
                self._records.drop(member, key)
            await asyncio.sleep(0)
        await self._records.forget_built(member)
        self._unwritten.discard(member)
        await self._leases.release_all(member)

    async def take_lease(self, image_key: ImageKey, member: str, *, now: float) -> Lease:
        """The lease to build the image: a new one for `member`, or the one that holds.

        Waits 25 ms at most; without Redis, replicas give leases away each for itself.
        """
        return await self._leases.take(image_key, member, now=now)

    async def release_lease(self, image_key: ImageKey, member: str) -> None:
        """The member's build ended. Another member's lease is left alone."""
        await self._leases.release(image_key, member)

    async def image_count(self, member: str | None = None) -> int:
        """How many images are known: the member's, or different ones at all members."""
        return len(self.mirror.images) if member is None else self.known_images(member)

    def known_images(self, member: str) -> int:
        """How many images the member is known to hold, by the mirror."""
        return self.mirror.image_count(member)

    def _known(self, image_key: ImageKey, key: bytes, repository: bytes, now: float) -> ImageFacts:
        today = day_at(now)
        lease = self._leases.get(image_key, now=now)
        return ImageFacts(
            holders=self.mirror.holders(key, today=today),
            building_since={} if lease is None else {lease.member: lease.since},
            built_repository_recently=self.mirror.builders(repository, today=today),
        )

    def _hear(self, body: bytes) -> None:
        """News of another replica."""
        match decode(body):
            case Changes() as changes:
                self._records.learn(changes, is_newer=self._writer.is_waiting)
            case Written(member):
                self._unwritten.discard(member)
            case Reload():
                self._upkeep.want(Work.LOAD_WHOLE)

    def _overflowed(self) -> None:
        self._upkeep.want(Work.REWRITE_AND_TELL, name=uuid.uuid4().hex)

    async def _sweep(self) -> None:
        await self._records.drop_old(today=day_at(self._clock()))
