"""Launch records in Redis. Nothing on a launch's way waits for them.

A launch that changed is only noted; a task writes what changed a few times a second, many
launches in one round trip, straight from the launches' own logs. So there is no queue that
could fill: while Redis is away the launches themselves are what will be written, and when
it comes back empty they are written whole. Every write is for a launch's owner alone: who
has lost a launch to another replica learns it from the answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from binder_federation.binder.events import event_from_json
from binder_federation.federation.event_log import LogEntry
from binder_federation.federation.launch_ids import parse_position
from binder_federation.federation.launch_records import scripts
from binder_federation.federation.launch_records.contract import (
    ENDED_LIFETIME_SECONDS,
    FOLLOWED_SECONDS,
    KeptLaunch,
    Recorded,
    RecordsUnavailable,
)
from binder_federation.federation.launch_records.scripted import Script, ScriptCall, run_scripts
from binder_federation.federation.launch_state import LaunchState, state_from_json
from binder_federation.federation.shared.connection import RedisConnection, RedisUnavailable

log = structlog.get_logger(__name__)

WRITE_EVERY_SECONDS = 0.2
PAUSE_AFTER_FAILURE_SECONDS = 0.5
RUNNING_LIFETIME_SECONDS = ENDED_LIFETIME_SECONDS + 3600.0
READ_SECONDS = 0.25
"""For who resumes a launch: without an answer it begins again where the visitor saw it."""
RELEASE_SECONDS = 1.0
ALIVE_SECONDS = 1.0
"""So long an answer about a replica serves for all its launches."""
MOST_AT_ONCE = 100
MOST_EVENTS_KEPT = 300
MOST_EVENTS_AT_ONCE = 100
"""Of one launch: of a build that says more than this in 0.2 s the last lines are kept."""

_WRITE, _TAKE = Script(scripts.WRITE), Script(scripts.TAKE)
_FETCH, _FOLLOWED = Script(scripts.FETCH), Script(scripts.FOLLOWED)

IsAlive = Callable[[str], Awaitable[bool]]


@dataclass(slots=True)
class _Written:
    """What Redis has of a launch of ours."""

    state: LaunchState | None = None
    number: int = 0


class RedisLaunchRecords:
    """The records of this replica. `run` is the task that writes them.

    `is_alive` says of a replica id whether that replica lives, and may wait for it.
    """

    def __init__(self, connection: RedisConnection, *, is_alive: IsAlive) -> None:
        self._connection = connection
        self._is_alive = is_alive
        self._launches: dict[str, Recorded] = {}
        self._written: dict[str, _Written] = {}
        self._dirty: dict[str, None] = {}
        self._has_news = asyncio.Event()
        self._is_urgent = asyncio.Event()
        self._listeners: list[Callable[[str], None]] = []
        self._alive: dict[str, tuple[float, bool]] = {}

    def changed(self, launch: Recorded, *, is_urgent: bool = False) -> None:
        """Write the launch, soon."""
        self._launches[launch.id] = launch
        self._dirty[launch.id] = None
        self._has_news.set()
        if is_urgent:
            self._is_urgent.set()

    async def touch(self) -> None:
        """Ask for every launch under way whether Redis still has it, and write it if not."""
        for launch in self._launches.values():
            if not launch.log.is_finished:
                self._dirty[launch.id] = None
        if self._dirty:
            self._has_news.set()

    def forget(self, launch_id: str) -> None:
        """Write it no more."""
        self._launches.pop(launch_id, None)
        self._written.pop(launch_id, None)
        self._dirty.pop(launch_id, None)

    def on_lost(self, listener: Callable[[str], None]) -> None:
        """Tell `listener` of launches that another replica took."""
        self._listeners.append(listener)

    async def fetch(
        self, launch_id: str, *, after: int = 0, is_following: bool = False
    ) -> KeptLaunch | None:
        """One round trip. What cannot be read is as if it were not there."""
        answer = await self._ask("launch_fetch", _FETCH, launch_id, after, int(is_following))
        if not answer:
            return None
        return self._connection.decoded("launch", lambda: _kept(answer))

    async def take(self, launch_id: str, *, from_owner: str) -> bool:
        """Compare and set, in one step."""
        replica, lifetime = self._connection.replica_id, _ms(RUNNING_LIFETIME_SECONDS)
        answer = await self._ask("launch_take", _TAKE, launch_id, replica, from_owner, lifetime)
        return bool(answer)

    async def release(self, launches: Iterable[Recorded]) -> None:
        """Write what is new of them, and that they are nobody's."""
        calls = []
        for launch in launches:
            calls.append(self._write_call(launch, is_released=True))
            self.forget(launch.id)
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                for begin in range(0, len(calls), MOST_AT_ONCE):
                    await self._run("launch_release", calls[begin : begin + MOST_AT_ONCE])
        except (RecordsUnavailable, TimeoutError):
            log.warning("launches_not_released", launches=len(calls))

    async def is_followed(self, launch_id: str) -> bool:
        """Whether somebody asked for it a moment ago."""
        try:
            seconds = int(FOLLOWED_SECONDS)
            return bool(await self._ask("launch_followed", _FOLLOWED, launch_id, seconds))
        except RecordsUnavailable:
            return False

    async def is_alive(self, owner: str) -> bool:
        """Asked once a second for each replica, however many of its launches are followed."""
        now = asyncio.get_running_loop().time()
        asked_at, alive = self._alive.get(owner, (float("-inf"), True))
        if now - asked_at >= ALIVE_SECONDS:
            alive = await self._is_alive(owner)
            self._alive[owner] = (now, alive)
        return alive

    async def run(self) -> None:
        """Write what changed, for ever."""
        while True:
            await self._has_news.wait()
            try:
                async with asyncio.timeout(WRITE_EVERY_SECONDS):
                    await self._is_urgent.wait()
            except TimeoutError:
                pass
            self._has_news.clear()
            self._is_urgent.clear()
            await self._connection.wait_until_usable()
            try:
                await self._write_dirty()
            except RecordsUnavailable:
                self._has_news.set()
                await asyncio.sleep(PAUSE_AFTER_FAILURE_SECONDS)

    async def _write_dirty(self) -> None:
        dirty = [launch_id for launch_id in self._dirty if launch_id in self._launches]
        for begin in range(0, len(dirty), MOST_AT_ONCE):
            await self._write(
                [
                    self._launches[i]
                    for i in dirty[begin : begin + MOST_AT_ONCE]
                    if i in self._launches
                ]
            )

    async def _write(self, launches: list[Recorded]) -> None:
        marks = [(launch.state, launch.log.last_number) for launch in launches]
        calls = [self._write_call(launch) for launch in launches]
        for launch in launches:
            self._dirty.pop(launch.id, None)  # what changes from here on is written next time
        try:
            answers = await self._run("launch_write", calls)
        except RecordsUnavailable:
            self._dirty.update(
                (launch.id, None) for launch in launches if launch.id in self._launches
            )
            raise
        for launch, (state, number), answer in zip(launches, marks, answers, strict=True):
            self._take_answer(launch, _Written(state, number), int(answer))

    def _take_answer(self, launch: Recorded, written: _Written, answer: int) -> None:
        if launch.id not in self._launches:
            return
        if answer == 1:
            self._written[launch.id] = written
        elif answer == 2:
            self._written.pop(launch.id, None)
            self.changed(launch)
        else:
            self.forget(launch.id)
            for listener in self._listeners:
                listener(launch.id)

    def _write_call(self, launch: Recorded, *, is_released: bool = False) -> ScriptCall:
        written = self._written.get(launch.id, _Written())
        state = launch.state
        seconds = ENDED_LIFETIME_SECONDS if launch.log.is_finished else RUNNING_LIFETIME_SECONDS
        most = MOST_EVENTS_AT_ONCE if written.number else MOST_EVENTS_KEPT
        arguments: list[str | int] = [
            self._connection.replica_id,
            _ms(seconds),
            "" if state is written.state else state.to_json(),
            int(is_released),
            MOST_EVENTS_KEPT,
        ]
        for entry in launch.log.after(written.number)[-most:]:
            arguments += (entry.number, str(entry.at), entry.text)
        return ScriptCall(_WRITE, self._keys(launch.id), arguments)

    def _keys(self, launch_id: str) -> tuple[str, str]:
        keys = self._connection.keys
        return keys.launch(launch_id), keys.launch_events(launch_id)

    async def _ask(self, kind: str, script: Script, launch_id: str, *arguments: str | int) -> Any:
        call = ScriptCall(script, self._keys(launch_id), arguments)
        return (await self._run(kind, [call], deadline_seconds=READ_SECONDS))[0]

    async def _run(
        self, kind: str, calls: list[ScriptCall], *, deadline_seconds: float | None = None
    ) -> list[Any]:
        seconds = deadline_seconds or self._connection.settings.background_deadline_seconds
        try:
            return await self._connection.call(
                kind, lambda client: run_scripts(client, calls), deadline_seconds=seconds
            )
        except RedisUnavailable as error:
            raise RecordsUnavailable("Redis does not tell of launches now.") from error


def _kept(answer: Any) -> KeptLaunch:
    owner, state, events = answer
    entries = tuple(_entry(number, fields) for number, fields in events)
    return KeptLaunch(owner.decode(), state_from_json(state), entries)


def _entry(number: bytes, fields: Sequence[bytes]) -> LogEntry:
    """From a stream's entry, as a script returns it: names and values in turn."""
    at, text = fields[1].decode(), fields[3].decode()
    is_final = event_from_json(text).phase.is_final
    return LogEntry(int(number.partition(b"-")[0]), text, parse_position(at), is_final)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
