"""Lets the stack tidy up, and tells the sessions what room its cluster has left."""

from collections.abc import Awaitable, Callable

from binder_federation.cluster_agent.sessions import Sessions
from binder_federation.cluster_agent.stacks.base import Stack

TIDY_EVERY_SECONDS = 10.0


def make_housekeeping(*, stack: Stack, sessions: Sessions) -> Callable[[], Awaitable[None]]:
    """One pass, to be run every `TIDY_EVERY_SECONDS`."""

    async def tidy() -> None:
        await stack.tidy(known_servers=sessions.known_servers())
        sessions.note_room(stack.room.sessions)

    return tidy


def note_full(*, stack: Stack, sessions: Sessions) -> None:
    """The cluster refused a server for want of room: no further launches until it is known
    better (mybinder.org, 2022-06-02: a quota that nobody knew of, launches failed for hours)."""
    stack.note_full()
    sessions.note_room(stack.room.sessions)
