"""A small file of what an agent would rather not learn anew after a restart.

Read once, replaced whole, at most once a minute and when the agent ends. It is never
needed: a missing or broken file is as good as an empty one, and a full disk costs
no launch.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog
from pydantic import TypeAdapter, ValidationError

log = structlog.get_logger(__name__)

WRITE_EVERY_SECONDS = 60.0

T = TypeVar("T")


class StateFile(Generic[T]):
    """The file at `path`, with what `adapter` describes, as JSON."""

    def __init__(self, *, path: Path, adapter: TypeAdapter[T], clock: Callable[[], float]) -> None:
        """`clock` gives seconds since the epoch. The file's folder is made when needed."""
        self._path = path
        self._adapter = adapter
        self._clock = clock
        self._is_changed = False
        self._written_at = clock()
        self._lock = asyncio.Lock()

    async def load(self) -> T | None:
        """What the file says; None when it says nothing that can be used."""
        try:
            return await asyncio.to_thread(self._read)
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            log.warning("state_unreadable", path=str(self._path), error=type(error).__name__)
            return None

    def mark_changed(self) -> None:
        """What is written is not what holds any more."""
        self._is_changed = True

    async def save_if_due(self, snapshot: Callable[[], T]) -> None:
        """Write what `snapshot` gives, if something changed and the last time is a minute ago."""
        elapsed = self._clock() - self._written_at
        if not 0 <= elapsed < WRITE_EVERY_SECONDS:  # or the clock was set back
            await self.save(snapshot)

    async def save(self, snapshot: Callable[[], T]) -> None:
        """Write what `snapshot` gives, if something changed."""
        async with self._lock:
            if not self._is_changed:
                return
            self._is_changed = False
            self._written_at = self._clock()
            try:
                await asyncio.to_thread(self._replace, snapshot())
            except OSError as error:
                self._is_changed = True
                log.warning("state_not_written", path=str(self._path), error=repr(error))

    def _read(self) -> T:
        return self._adapter.validate_json(self._path.read_bytes())

    def _replace(self, content: T) -> None:
        """A crash leaves either the old file or the new one."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_name(f"{self._path.name}.draft")
        with draft.open("wb") as file:
            file.write(self._adapter.dump_json(content))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
