"""What must be done for mirror and Redis to agree again, one thing after the other.

Something is asked for at any time, while Redis is away too; it is done once Redis can be
asked, and begun anew when it fails meanwhile.
"""

import asyncio
import time
from collections.abc import Callable
from enum import IntEnum

import structlog

from binder_federation.federation.locality.fact_news import Reload, encode
from binder_federation.federation.locality.loader import MirrorLoader
from binder_federation.federation.locality.packing import day_at
from binder_federation.federation.locality.redis_leases import RedisLeases
from binder_federation.federation.locality.rewriter import Rewriter
from binder_federation.federation.shared.bus import Bus, Topic
from binder_federation.federation.shared.connection import RedisConnection, RedisUnavailable

log = structlog.get_logger(__name__)

PAUSE_AFTER_FAILURE_SECONDS = 0.5


class Work(IntEnum):
    """What is to be done, in the order in which it is done."""

    RETAKE_LEASES = 1
    """Redis has lost the leases."""
    REWRITE = 2
    """Redis has lost facts."""
    REWRITE_AND_TELL = 3
    """There was more to write than could be remembered; the others must read it all."""
    LOAD = 4
    """At the start."""
    LOAD_WHOLE = 5
    """We have missed news: what Redis does not have is gone."""


class Upkeep:
    """Does the work that was asked for."""

    def __init__(
        self,
        *,
        connection: RedisConnection,
        bus: Bus,
        loader: MirrorLoader,
        rewriter: Rewriter,
        leases: RedisLeases,
        clock: Callable[[], float],
    ) -> None:
        self._connection = connection
        self._bus = bus
        self._loader = loader
        self._rewriter = rewriter
        self._leases = leases
        self._clock = clock
        self._wanted: dict[Work, str] = {}
        self._awake = asyncio.Event()
        self._idle = asyncio.Event()

    def want(self, work: Work, *, name: str = "") -> None:
        """Have it done. Replicas that want the same under one `name` may share it."""
        self._wanted[work] = name
        self._awake.set()
        self._idle.clear()

    async def run(self) -> None:
        """Do what is wanted, for ever."""
        while True:
            await self._awake.wait()
            await self._connection.wait_until_usable()
            work = min(self._wanted)
            name = self._wanted.pop(work)
            try:
                await self._do_and_log(work, name)
            except RedisUnavailable:
                self._wanted.setdefault(work, name)
                await asyncio.sleep(PAUSE_AFTER_FAILURE_SECONDS)
            if not self._wanted:
                self._awake.clear()
                self._idle.set()

    async def settle(self) -> None:
        """Wait until nothing is to be done. The caller sets the deadline."""
        await self._idle.wait()

    async def _do_and_log(self, work: Work, name: str) -> None:
        began = time.monotonic()
        await self._do(work, name)
        seconds = round(time.monotonic() - began, 3)
        log.info("redis_upkeep_done", work=work.name.lower(), seconds=seconds)

    async def _do(self, work: Work, name: str) -> None:
        match work:
            case Work.RETAKE_LEASES:
                await self._leases.retake_all(now=self._clock())
            case Work.REWRITE:
                await self._rewriter.write_all(work=name)
            case Work.REWRITE_AND_TELL:
                await self._rewriter.write_all(work=f"{self._connection.replica_id}:{name}")
                self._bus.publish(Topic.FACTS, encode(Reload()))
            case Work.LOAD | Work.LOAD_WHOLE:
                await self._leases.load()
                await self._loader.load(
                    today=day_at(self._clock()), is_whole_truth=work is Work.LOAD_WHOLE
                )
