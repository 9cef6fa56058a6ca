"""Removes what an earlier run of this agent left: processes, sessions, halves of images."""

import asyncio

import structlog

from binder_federation.cluster_agent.stacks.host.files import remove_tree
from binder_federation.cluster_agent.stacks.local.folders import (
    ImageFolder,
    StackFolders,
)
from binder_federation.cluster_agent.stacks.local.image_record import read_record
from binder_federation.runtime.processes import OWNER_MARK, end_marked_processes

log = structlog.get_logger(__name__)


async def sweep_processes(folders: StackFolders, *, grace_seconds: float) -> None:
    """End every process that was started below an agent with these folders."""
    ended = await end_marked_processes(OWNER_MARK, str(folders.root), grace_seconds)
    if ended:
        log.info("leftover_processes_ended", count=ended)


async def sweep_files(folders: StackFolders) -> None:
    """Remove sessions, scratch files, and images that are not whole."""
    await asyncio.to_thread(_sweep_files, folders)


def _sweep_files(folders: StackFolders) -> None:
    for path in (folders.sessions, folders.building):
        remove_tree(path)
    if not folders.images.is_dir():
        return
    for path in folders.images.iterdir():
        if read_record(ImageFolder(path)) is None:
            log.info("unfinished_image_removed", image=path.name)
            remove_tree(path)
