"""Runs an agent until it is told to stop.

The first SIGTERM or SIGINT stops it in order, within about ten seconds: launches
end and are cleaned up, then the stack stops. A second one ends it at once; what
the stack started ends with it, because the kernel was told so (`die_with_parent`).
"""

import asyncio
import json
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path

import structlog
from aiohttp import web

from binder_federation.cluster_agent.app import create_app
from binder_federation.cluster_agent.context import CONTEXT
from binder_federation.cluster_agent.stacks.base import Stack
from binder_federation.config.agent import AgentSettings
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.serving import Runner, listen

log = structlog.get_logger(__name__)

SHUTDOWN_SECONDS = 2.0
"""For streams to end by themselves; their launches have ended before."""
FORCED_STATUS = 130


class CannotListen(ServiceError):
    """The address is taken, or not ours."""

    code = "cannot_listen"


async def serve(
    settings: AgentSettings, *, ready_file: Path | None = None, stack: Stack | None = None
) -> None:
    """Serve until a signal comes. Raises `StackNotReady` or `CannotListen`."""
    app = create_app(settings, stack=stack)
    stop = asyncio.Event()
    _listen_for_signals(stop, asyncio.current_task())
    async with AsyncExitStack() as resources:
        runner = make_runner(app)
        resources.push_async_callback(runner.cleanup)
        try:
            await runner.setup()
            url = await _listen(runner, settings)
            hub_url = app[CONTEXT].stack.hub.public_url
            log.info("agent_ready", url=url, hub_url=hub_url, name=settings.name)
            if ready_file is not None:
                resources.callback(ready_file.unlink, missing_ok=True)
                _write_ready_file(ready_file, url=url, hub_url=hub_url)
            await stop.wait()
        except asyncio.CancelledError:
            if not stop.is_set():
                raise
        log.info("agent_stopping", name=settings.name)
    log.info("agent_stopped", name=settings.name)


def make_runner(app: web.Application) -> Runner:
    """Cancels a handler when its client goes away: see streams.py."""
    return Runner(app, shutdown_seconds=SHUTDOWN_SECONDS)


def _listen_for_signals(stop: asyncio.Event, serving: "asyncio.Task[None] | None") -> None:
    def on_signal() -> None:
        if stop.is_set():
            os._exit(FORCED_STATUS)
        stop.set()
        if serving is not None:
            serving.cancel()  # also while the stack starts

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)


async def _listen(runner: Runner, settings: AgentSettings) -> str:
    """The URL that it listens at; a port of 0 has become a real one."""
    try:
        await listen(runner, settings.host, settings.port)
    except OSError as error:
        raise CannotListen(
            f"{settings.host}:{settings.port} cannot be listened on: "
            f"{os.strerror(error.errno or 0)}.",
            advice="Choose another one with --port; 0 takes any that is free.",
        ) from error
    port = runner.addresses[0][1]
    host = "127.0.0.1" if settings.host == "0.0.0.0" else settings.host  # noqa: S104 - compared
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _write_ready_file(path: Path, *, url: str, hub_url: str) -> None:
    """Whole or not at all: somebody polls for it."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_text(json.dumps({"url": url, "hub_url": hub_url, "pid": os.getpid()}))
    new.replace(path)
