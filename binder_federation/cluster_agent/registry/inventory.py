"""The images in a member's registry: all of them, one of them, fewer of them.

The registry is the only record. A pass lists the tags; only those that are new are
looked at (manifest and config, some at once), for what a tag of ours points at does not
change by itself. So an image costs two requests once, and a pass next to nothing; a file
(`state_file.py`) carries what is known over a restart. What is not ours, or broken, is
left alone and told in one line.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydantic import FiniteFloat, TypeAdapter

from binder_federation.binder.messages import ImageRecord, Tier
from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.core.cleaning import StoredImage, choose_removals
from binder_federation.cluster_agent.core.image_names import (
    image_reference,
    key_in_tag,
    read_labels,
)
from binder_federation.cluster_agent.registry.client import RegistryClient, RemoteImage
from binder_federation.cluster_agent.registry.errors import (
    ImageUnreadable,
    RegistryDenied,
    RegistryError,
)
from binder_federation.cluster_agent.registry.last_used import LastUsed
from binder_federation.cluster_agent.registry.state_file import StateFile
from binder_federation.config.registry import RegistrySettings

log = structlog.get_logger(__name__)

AT_ONCE = 16
MOST_FAILURES = 3


@dataclass(frozen=True, slots=True)
class RegistryImage:
    """One of this member's images in its registry."""

    key: ImageKey
    tag: str
    reference: str
    """`registry.example.org/binder/images:owner-name-<key>`."""
    repository: str
    """The affinity key of the repository it was made from."""
    resolved_ref: str
    digest: str
    size_bytes: int
    made_at: FiniteFloat
    """Seconds since the epoch; 0 when its config does not say."""

    def to_record(self) -> ImageRecord:
        """As a report tells it."""
        return ImageRecord(
            key=self.key,
            repository=self.repository[:2048],
            tier=Tier.REGISTRY,
            size_bytes=self.size_bytes,
        )


class RegistryImages:
    """What the registry of `settings` holds. Deadlines are in the event loop's time."""

    def __init__(
        self,
        *,
        client: RegistryClient,
        settings: RegistrySettings,
        last_used: LastUsed,
        file: StateFile[list[RegistryImage]] | None = None,
    ) -> None:
        """`last_used` belongs to the stack's image store, which notes launches in it and drops
        what is gone everywhere; `file` is None where nothing outlives the agent."""
        self._client = client
        self._settings = settings
        self._last_used = last_used
        self._file = file
        self._known: dict[str, RegistryImage | None] = {}
        """By tag; None for what has the name of an image of ours and is none."""
        self._foreign_tags = 0

    async def load(self) -> None:
        """Remember what was known when the agent last ran; the next pass corrects it."""
        remembered = await self._file.load() if self._file else None
        for image in remembered or []:
            if image.reference == image_reference(self._settings.repository, image.tag):
                self._known.setdefault(image.tag, image)

    async def aclose(self) -> None:
        """Write what is not written yet."""
        if self._file:
            await self._file.save(self._snapshot)

    @property
    def images(self) -> Sequence[RegistryImage]:
        """What is known, one per key."""
        by_key = {image.key: image for _, image in sorted(self._known.items()) if image}
        return list(by_key.values())

    async def read(self, *, deadline: float) -> Sequence[RegistryImage]:
        """All images there are now. Raises `RegistryError`; what was learned until then is
        kept, so that the next pass goes on from there."""
        known_before = set(self._known)
        tags = await self._client.list_tags(deadline=deadline)
        ours = {tag for tag in tags if key_in_tag(tag)}
        self._tell_of_foreign(len(tags) - len(ours))
        for tag in known_before - ours:
            self._forget(tag)
        await self._look_at_all(sorted(ours - self._known.keys()), deadline)
        if self._file:
            await self._file.save_if_due(self._snapshot)
        return self.images

    async def find(self, tag: str, *, deadline: float) -> RegistryImage | None:
        """The image, if the registry has it whole at this moment."""
        digest = await self._client.fetch_digest(tag, deadline=deadline)
        if digest is None:
            self._forget(tag)
            return None
        known = self._known.get(tag)
        if known is None or known.digest != digest:
            await self._look_at(tag, deadline)
        return self._known.get(tag)

    async def delete(self, tag: str, *, deadline: float) -> bool:
        """Delete the image; False when it was gone. Raises `RegistryError`."""
        was_there = await self._client.delete(tag, deadline=deadline)
        self._forget(tag)
        return was_there

    async def ensure_room(
        self, *, in_use: frozenset[str], deadline: float
    ) -> Sequence[RegistryImage]:
        """Delete the least recently launched images if all that are known are above the limit,
        never one whose `reference` is `in_use`; gives what was deleted."""
        if self._settings.bytes_limit is None:
            return []
        images = {image.key: image for image in self.images}
        chosen = choose_removals(
            [self._stored(image) for image in images.values()],
            limit_bytes=self._settings.bytes_limit,
            low_water_share=self._settings.low_water_share,
            in_use={key for key, image in images.items() if image.reference in in_use},
        )
        removed = []
        for key in chosen:
            await self.delete(images[key].tag, deadline=deadline)
            removed.append(images[key])
            log.info("registry_image_removed", image=key)
        return removed

    def _stored(self, image: RegistryImage) -> StoredImage:
        when = self._last_used.when(image.key, made_at=image.made_at)
        return StoredImage(image.key, image.size_bytes, when)

    async def _look_at_all(self, tags: Sequence[str], deadline: float) -> None:
        """Some at once. A few that fail are left to the next pass; more, and it is not the
        images that are at fault."""
        waiting = iter(tags)
        failures: list[RegistryError] = []

        async def work() -> None:
            for tag in waiting:
                try:
                    await self._look_at(tag, deadline)
                except RegistryError as error:
                    log.warning("registry_image_skipped", tag=tag, reason=error.message)
                    failures.append(error)
                if _blame_the_registry(failures):
                    return

        await asyncio.gather(*(work() for _ in range(min(AT_ONCE, len(tags)))))
        if _blame_the_registry(failures):
            raise failures[-1]

    async def _look_at(self, tag: str, deadline: float) -> None:
        """Learn what the tag points at; nothing, if it is gone again."""
        try:
            remote = await self._client.find(tag, deadline=deadline)
        except ImageUnreadable as error:
            log.warning("registry_image_unreadable", tag=tag, reason=error.message)
            self._learn(tag, None)
            return
        if remote is None:
            self._forget(tag)
        else:
            self._learn(tag, self._ours(remote))

    def _learn(self, tag: str, image: RegistryImage | None) -> None:
        self._known[tag] = image
        self._mark_changed()

    def _forget(self, tag: str) -> None:
        if self._known.pop(tag, None) is not None:
            self._mark_changed()

    def _mark_changed(self) -> None:
        if self._file:
            self._file.mark_changed()

    def _snapshot(self) -> list[RegistryImage]:
        return [image for image in self._known.values() if image is not None]

    def _ours(self, remote: RemoteImage) -> RegistryImage | None:
        labels = read_labels(remote.labels)
        if labels is None or labels.key != key_in_tag(remote.tag):
            log.warning("registry_image_foreign", tag=remote.tag, reason="its labels differ")
            return None
        return RegistryImage(
            key=labels.key,
            tag=remote.tag,
            reference=image_reference(self._settings.repository, remote.tag),
            repository=labels.repository,
            resolved_ref=labels.ref,
            digest=remote.digest,
            size_bytes=remote.size_bytes,
            made_at=remote.created.timestamp() if remote.created else 0.0,
        )

    def _tell_of_foreign(self, tags: int) -> None:
        """Once, and again when their number changes."""
        if tags != self._foreign_tags:
            self._foreign_tags = tags
            log.info("registry_tags_of_others", tags=tags, repository=self._settings.repository)


def known_images_file(path: Path, *, clock: Callable[[], float]) -> StateFile[list[RegistryImage]]:
    """Where `RegistryImages` keeps what it knows; `clock` gives seconds since the epoch."""
    return StateFile(path=path, adapter=TypeAdapter(list[RegistryImage]), clock=clock)


def _blame_the_registry(failures: Sequence[RegistryError]) -> bool:
    """Whether it is useless to go on."""
    return len(failures) >= MOST_FAILURES or any(
        isinstance(failure, RegistryDenied) for failure in failures
    )
