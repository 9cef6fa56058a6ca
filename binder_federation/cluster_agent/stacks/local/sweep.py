"""Removes what an earlier run of this agent left: processes, sessions, halves of images."""

import asyncio
import os
import time
from collections.abc import Iterable
from pathlib import Path

import structlog

from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.stacks.host.files import remove_tree
from binder_federation.cluster_agent.stacks.local.folders import (
    ImageFolder,
    StackFolders,
)
from binder_federation.cluster_agent.stacks.local.image_record import read_record
from binder_federation.runtime.processes import OWNER_MARK, end_marked_processes

log = structlog.get_logger(__name__)

SESSION_MARK = "BINDERFED_SESSION"
"""Everything in a session carries the session's folder in this variable."""
_NEW_SECONDS = 60.0
"""A session is begun before the hub's list, as last read, can show it."""


async def sweep_processes(folders: StackFolders, *, grace_seconds: float) -> None:
    """End every process that was started below an agent with these folders."""
    ended = await end_marked_processes(OWNER_MARK, str(folders.root), grace_seconds)
    if ended:
        log.info("leftover_processes_ended", count=ended)


async def sweep_files(folders: StackFolders) -> None:
    """Remove sessions, scratch files, and images that are not whole."""
    await asyncio.to_thread(_sweep_files, folders)


async def sweep_sessions(folders: StackFolders, *, known_servers: Iterable[ServerName]) -> None:
    """Remove sessions of nobody, but none that has just begun."""
    known = frozenset(server.machine_name for server in known_servers)
    for session in await asyncio.to_thread(_sessions_of_nobody, folders, known):
        await end_marked_processes(SESSION_MARK, str(session), 0.0)
        await asyncio.to_thread(remove_tree, session)
        log.info("session_of_nobody_removed", session=session.name)


def _sessions_of_nobody(folders: StackFolders, known: frozenset[str]) -> list[Path]:
    begun_before = time.time() - _NEW_SECONDS
    try:
        return [
            Path(entry.path)
            for entry in os.scandir(folders.sessions)
            if entry.name not in known and entry.stat().st_mtime < begun_before
        ]
    except FileNotFoundError:
        return []


def _sweep_files(folders: StackFolders) -> None:
    for path in (folders.sessions, folders.building):
        remove_tree(path)
    if not folders.images.is_dir():
        return
    for path in folders.images.iterdir():
        if read_record(ImageFolder(path)) is None:
            log.info("unfinished_image_removed", image=path.name)
            remove_tree(path)
