"""A server for one visitor, through JupyterHub's REST API.

A temporary user is made, its server started, the hub's account of that followed; a visitor
who is logged in gets a named server instead, and the user stays (`core/server_names.py`).
The hub may call a server ready before it answers (mybinder.org, 2017-09-27), so
the last step asks the server itself, with its token and through the proxy, as the
visitor's browser will. Whatever ends a launch early, also its being cancelled,
removes the server, and a temporary user; the place is free when that is done.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import asdict, dataclass, field
from typing import Any

import structlog

from binder_federation.binder.errors import LaunchFailed, QuotaExceeded, ServerStopped
from binder_federation.binder.events import Event, Phase
from binder_federation.cluster_agent.builds import ordinal
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.core.start_record import StartRecord
from binder_federation.cluster_agent.hub_api import HubApi, HubUnavailable
from binder_federation.cluster_agent.metrics import AgentMetrics
from binder_federation.cluster_agent.removal import Removals
from binder_federation.cluster_agent.sessions import Place, Sessions
from binder_federation.cluster_agent.slots import FairSlots
from binder_federation.cluster_agent.stacks.containers.refusals import (
    is_for_want_of_room,
    own_exit_code,
)
from binder_federation.config.agent import AgentLaunchSettings
from binder_federation.runtime.errors import ServiceError

log = structlog.get_logger(__name__)

Emit = Callable[[Event], None]

ANSWER_FIRST_PAUSE_SECONDS = 0.05
ANSWER_MAX_PAUSE_SECONDS = 1.0
PROGRESS_PAUSE_SECONDS = 0.5
MESSAGE_LENGTH = 1000
FULL_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """What the hub is told of a server; the names are BinderHub's, but `repository`."""

    image: str
    token: str
    repo_url: str
    binder_ref_url: str
    binder_launch_host: str
    binder_request: str
    binder_persistent_request: str
    binder_client_ip: str
    repository: str
    """The affinity key: sessions are counted by it."""
    warm: bool = False
    """It is started before its visitor comes (warm/pool.py)."""
    further: Mapping[str, Any] = field(default_factory=dict)
    """Besides: the repository's own limits, and what the pre-launch hook adds."""

    def for_hub(self) -> dict[str, Any]:
        """The hub's `user_options`."""
        options = asdict(self)
        further = options.pop("further")
        return {**further, **options}


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that answers to its token."""

    server: ServerName
    url: str
    token: str
    is_warm: bool = False
    """It was there before its visitor came."""


class Launcher:
    """Starts servers, a limited number at a time."""

    def __init__(
        self,
        *,
        hub: HubApi,
        sessions: Sessions,
        removals: Removals,
        settings: AgentLaunchSettings,
        metrics: AgentMetrics,
        on_full: Callable[[], None],
    ) -> None:
        """`on_full` is told when the cluster refuses a server for want of room."""
        self._hub = hub
        self._sessions = sessions
        self._removals = removals
        self._settings = settings
        self._metrics = metrics
        self._on_full = on_full
        self._slots = FairSlots(slots=settings.concurrent)
        self._record = StartRecord()

    @property
    def spare_slots(self) -> int:
        """Servers that may start beside those that are starting, with no launch in line."""
        return 0 if self._slots.waiting else self._settings.concurrent - self._slots.held

    async def launch(self, place: Place, options: ServerOptions, emit: Emit) -> RunningServer:
        """Start the server that `place` was taken for.

        From here on the place is the launcher's: it is free again when the launch
        has failed and is cleaned up, or when the hub's list shows the session.
        """
        was_asked = False
        try:
            async with self._slots.hold(
                place.repository, on_place=lambda number: _tell_place(number, emit)
            ):
                was_asked = True
                self._removals.note_made(place.server)
                with self._metrics.observe_spawn():
                    return await self._start_in_time(place, options, emit)
        except BaseException:  # also a cancellation: nothing may be left
            self._give_up(place, was_asked=was_asked)
            raise

    def _give_up(self, place: Place, *, was_asked: bool) -> None:
        if was_asked:
            self._removals.remove_soon(place.server, then=lambda: self._sessions.release(place))
        else:
            self._sessions.release(place)

    async def _start_in_time(
        self, place: Place, options: ServerOptions, emit: Emit
    ) -> RunningServer:
        seconds = self._settings.timeout_seconds
        deadline = asyncio.get_running_loop().time() + seconds
        try:
            async with asyncio.timeout_at(deadline):
                await self._start(place, options, emit, deadline)
        except TimeoutError as error:
            raise LaunchFailed(f"The server did not start within {seconds:.0f} seconds.") from error
        self._record.note_ready(options.image, now=asyncio.get_running_loop().time())
        self._sessions.note_ready(place)
        url = self._hub.server_url(place.server)
        return RunningServer(place.server, url, options.token, is_warm=options.warm)

    async def _start(
        self, place: Place, options: ServerOptions, emit: Emit, deadline: float
    ) -> None:
        await self._hub.create_user(place.server.user, deadline=deadline)
        await self._hub.start_server(place.server, options.for_hub(), deadline=deadline)
        await self._follow_progress(place.server, options.image, emit, deadline)
        await self._wait_for_answer(place.server, options.token)

    async def _follow_progress(
        self, name: ServerName, image: str, emit: Emit, deadline: float
    ) -> None:
        """Until the hub calls the server ready. A stream that breaks off is opened anew."""
        while True:
            try:
                if await self._read_progress(name, image, emit):
                    return
            except HubUnavailable as error:
                log.warning("spawn_progress_lost", server=str(name), reason=error.message)
            server = await self._hub.find_server(name, deadline=deadline)
            if server is None:
                raise LaunchFailed("The hub of this member could not start the server.")
            if server.ready:
                return
            await asyncio.sleep(PROGRESS_PAUSE_SECONDS)

    async def _read_progress(self, name: ServerName, image: str, emit: Emit) -> bool:
        """Relay one stream; whether it said that the server is ready."""
        async with aclosing(self._hub.progress(name)) as events:
            async for progress in events:
                if progress.failed:
                    message = progress.message[:MESSAGE_LENGTH]
                    log.warning("spawn_failed", server=str(name), message=message)
                    raise self._failure_of(progress.message, image)
                if progress.ready:
                    return True
                if progress.message:
                    emit(Event(Phase.LAUNCHING, f"{progress.message[:MESSAGE_LENGTH]}\n"))
        return False

    def _failure_of(self, message: str, image: str) -> ServiceError:
        """What the hub's last words on a start mean. They are for the log: it may be anybody's."""
        if is_for_want_of_room(message):
            self._on_full()
            return QuotaExceeded(
                "This member's cluster has no room for another server just now.",
                advice="Try again in a moment.",
                retry_after_seconds=FULL_SECONDS,
            )
        exit_code = own_exit_code(message)
        now = asyncio.get_running_loop().time()
        if exit_code is not None and self._record.blames_image(image, now=now):
            return ServerStopped(
                "The server in the repository's image stopped as soon as it was started, with the "
                f"exit code {exit_code}.",
                advice="JupyterLab or the notebook has to be installed in it, and a `start` script "
                "or ENTRYPOINT has to end by running what it is given.",
            )
        return LaunchFailed(
            "The server did not start.",
            advice="Another try often succeeds, at another member all the more.",
        )

    async def _wait_for_answer(self, name: ServerName, token: str) -> None:
        """Until the server itself answers; the caller's deadline ends it."""
        pause = ANSWER_FIRST_PAUSE_SECONDS
        while await self._hub.server_status(name, token) is None:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, ANSWER_MAX_PAUSE_SECONDS)


def _tell_place(number: int, emit: Emit) -> None:
    emit(
        Event(
            Phase.LAUNCHING,
            f"Waiting for other servers to start: {ordinal(number)} in line.\n",
            {"place": number},
        )
    )
