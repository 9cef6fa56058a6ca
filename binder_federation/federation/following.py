"""Following a launch that another replica runs, until it has ended or is ours to go on with.

The owner's events are read again and again, for the visitor who came here. When the
owner is gone, the launch is taken: of all replicas that follow it, one gets it. What the
records cannot tell for a while (Redis is down, or was flushed) is not waited for: the
launch goes on here from what the visitor has seen. Its member knows it by its id, so
even two replicas that both go on with it watch one server start.
"""

import asyncio

import structlog

from binder_federation.federation.launch import Launch
from binder_federation.federation.launch_records.contract import (
    KeptLaunch,
    LaunchRecords,
    RecordsUnavailable,
)

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.25
"""At first, and after each event."""
MOST_POLL_SECONDS = 1.0
"""While nothing happens: a replica may have to follow a thousand launches."""
PATIENCE_SECONDS = 8.0
"""So long an owner that is there may take to write again what Redis lost: it looks for that
every few seconds (`launch_records/opening.py`)."""


class Following:
    """Follows launches."""

    def __init__(self, *, records: LaunchRecords) -> None:
        self._records = records

    async def follow(self, launch: Launch) -> None:
        """Add the owner's events to the launch's log; ends with the final one, or `is_ours`."""
        loop = asyncio.get_running_loop()
        known_at = loop.time() if launch.log.last_number else float("-inf")
        pause = POLL_SECONDS
        while not launch.log.is_finished:
            kept = await self._fetch(launch)
            if kept is not None:
                known_at = loop.time()
                launch.adopt(kept)
                pause = POLL_SECONDS if kept.entries else min(pause * 1.5, MOST_POLL_SECONDS)
            is_lost = loop.time() - known_at > PATIENCE_SECONDS
            if await self._may_take(launch, kept, is_lost=is_lost):
                launch.make_ours()
                return
            await asyncio.sleep(pause)

    async def _fetch(self, launch: Launch) -> KeptLaunch | None:
        after = launch.log.last_number
        try:
            return await self._records.fetch(
                launch.id, after=after, is_following=bool(launch.watchers)
            )
        except RecordsUnavailable:
            return None

    async def _may_take(self, launch: Launch, kept: KeptLaunch | None, *, is_lost: bool) -> bool:
        """Whether the launch is this replica's from now on."""
        if launch.log.is_finished or (kept is None and not is_lost):
            return False
        owner = kept.owner if kept is not None else ""
        if owner and await self._records.is_alive(owner):
            return False
        try:
            is_taken = await self._records.take(launch.id, from_owner=owner)
        except RecordsUnavailable:
            is_taken = kept is None  # nobody can be asked: better twice watched than not at all
        if is_taken:
            log.info("launch_taken_over", launch=launch.id, owner=owner, at=str(launch.log.at))
        return is_taken
