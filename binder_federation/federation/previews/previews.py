"""Previews of files at resolved refs: made once, kept for a while, asked for by many.

A file at a commit never changes, so what was made of it is right for good, and so is that
it cannot be shown; only failures in passing are forgotten soon. Nobody is asked what a ref
stands for: the launch that the preview belongs to did that, and its answer is looked up. So
only what was launched is shown, and a secret gist only where it may be launched.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from binder_federation.binder.providers.base import Missing, Resolved
from binder_federation.binder.ref_cache import RefCache, ref_key
from binder_federation.binder.spec import LaunchSpec
from binder_federation.federation.previews.fetching import FetchingFailed, Files
from binder_federation.federation.previews.renderers import Renderers, RenderingFailed
from binder_federation.federation.previews.sources import FileAddress, FileSources
from binder_federation.runtime.tasks import BackgroundTasks

KEPT_BYTES = 32 << 20
ENTRY_BYTES = 500
"""What an entry costs besides its HTML."""
TROUBLE_SECONDS = 30.0
USUAL_BRANCHES = frozenset({"main", "master"})

_Key = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was made of a file: HTML, or None when there is nothing to show."""

    html: bytes | None
    until: float | None = None
    """When it is to be made again, or None for never."""


class Previews:
    """Makes and keeps them. `clock` is in seconds."""

    def __init__(
        self,
        *,
        refs: RefCache,
        sources: FileSources,
        files: Files,
        renderers: Renderers,
        tasks: BackgroundTasks,
        clock: Callable[[], float],
    ) -> None:
        self._refs = refs
        self._sources = sources
        self._files = files
        self._renderers = renderers
        self._tasks = tasks
        self._clock = clock
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()
        self._bytes = 0
        self._making: dict[_Key, asyncio.Task[bytes | None]] = {}

    async def preview(self, spec: LaunchSpec, path: str) -> bytes | None:
        """The HTML of the file `path`, or None: no such file, not known yet, or any trouble."""
        commit = await self._commit(spec)
        address = commit and self._sources.address(spec.provider, spec.repository, commit, path)
        if not commit or not address:
            return None
        key = (spec.provider, spec.repository, commit, path)
        kept = self._kept.get(key)
        if kept is not None and (kept.until is None or self._clock() < kept.until):
            self._kept.move_to_end(key)
            return kept.html
        # No await between looking for a task and putting one there.
        task = self._making.get(key)
        if task is None:
            task = self._tasks.start(self._make(key, address), name="make-preview")
            self._making[key] = task
            task.add_done_callback(lambda _: self._making.pop(key, None))
        return await asyncio.shield(task)

    async def aclose(self) -> None:
        """End the processes that render."""
        await self._renderers.aclose()

    async def _commit(self, spec: LaunchSpec) -> str | None:
        entry = await self._refs.get(ref_key(spec))
        match entry.answer if entry else None:
            case Resolved(resolved_ref=resolved_ref):
                return resolved_ref
            case Missing(what="ref") if spec.ref in USUAL_BRANCHES:
                return await self._commit(spec.at("HEAD"))
            case _:
                return None

    async def _make(self, key: _Key, address: FileAddress) -> bytes | None:
        until = None
        try:
            content = await self._files.fetch(address)
            html = await self._renderers.render(key[3], content) if content else None
        except (FetchingFailed, RenderingFailed):
            html, until = None, self._clock() + TROUBLE_SECONDS
        self._keep(key, _Kept(html, until))
        return html

    def _keep(self, key: _Key, kept: _Kept) -> None:
        self._forget(key)
        self._kept[key] = kept
        self._bytes += _size(kept)
        while self._bytes > KEPT_BYTES:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: _Key) -> None:
        gone = self._kept.pop(key, None)
        if gone is not None:
            self._bytes -= _size(gone)


def _size(kept: _Kept) -> int:
    return ENTRY_BYTES + len(kept.html or b"")
