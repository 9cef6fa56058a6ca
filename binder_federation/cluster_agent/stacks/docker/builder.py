"""Makes an image on the engine: repo2docker's runner as a process below the agent.

The order and the registry's login are files that only this user reads, in a folder that
goes with the build. The runner ends what it started when it gets SIGTERM; if it cannot,
its mark finds what is left. What the last line says is the verdict; a process that ends
without one was killed, and that is the member's failure.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import structlog

from binder_federation.binder.errors import MemberBuildFailed
from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.registry.credentials.base import (
    Credentials,
    docker_config_json,
)
from binder_federation.cluster_agent.stacks.base import BuildPlan, BuildProgress, Image
from binder_federation.cluster_agent.stacks.docker.build_memory import BuildMemory
from binder_federation.cluster_agent.stacks.docker.engine import tool_environment
from binder_federation.cluster_agent.stacks.host.environment import session_variables
from binder_federation.cluster_agent.stacks.host.files import remove_tree
from binder_federation.cluster_agent.stacks.repo2docker import runner
from binder_federation.cluster_agent.stacks.repo2docker.order import BuildOrder, write_order
from binder_federation.cluster_agent.stacks.repo2docker.ordering import make_order
from binder_federation.cluster_agent.stacks.repo2docker.output import Line, read_line
from binder_federation.cluster_agent.stacks.repo2docker.relay import relay
from binder_federation.config.agent import AgentSettings
from binder_federation.runtime.processes import OWNER_MARK, die_with_parent, end_marked_processes

log = structlog.get_logger(__name__)

BUILD_FOLDER_MARK = "BINDERFED_BUILD_FOLDER"
_OWN_PLUGINS = Path(os.path.expanduser("~/.docker/cli-plugins"))  # noqa: PTH111 - no home is fine
_STOP_SECONDS = 10.0
_LONGEST_LINE = 1 << 20
_ERRORS_TAIL = 2000


class DockerBuilder:
    """The builder of the Docker stack. `building` is a folder of its own for all builds;
    `check_room` raises `MemberBuildFailed` while nothing may be built."""

    def __init__(
        self,
        *,
        settings: AgentSettings,
        address: str,
        building: Path,
        credentials: Credentials,
        check_room: Callable[[], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._address = address
        self._building = building
        self._credentials = credentials
        self._check_room = check_room
        self.memory: BuildMemory | None = None
        """What limits a build's memory; known once the engine was asked."""

    async def build(self, plan: BuildPlan, progress: BuildProgress) -> Image:
        """Make the image of `plan`, whole or not at all. Cancelling it leaves nothing."""
        await self._check_room()
        order = make_order(plan, settings=self._settings)
        async with self._memory_arguments(plan) as arguments, self._folder() as folder:
            order = order.model_copy(update={"buildx_args": [*order.buildx_args, *arguments]})
            await asyncio.to_thread(self._write_order, folder, order)
            await self._write_login(folder)
            last = await self._run(folder, progress)
        if last.phase is not Phase.BUILT:
            raise last.error()
        return Image(
            key=plan.key,
            reference=order.reference,
            repository=plan.spec.affinity_key,
            size_bytes=int(last.fields.get("size_bytes") or 0),
        )

    @asynccontextmanager
    async def _memory_arguments(self, plan: BuildPlan) -> AsyncIterator[list[str]]:
        if self.memory is None:
            yield []
            return
        try:
            async with self.memory.hold(plan.key) as cgroup:
                yield [f"--cgroup-parent={cgroup}"]
        except OSError as error:
            log.warning("build_not_limited", error=repr(error))
            raise MemberBuildFailed("The member could not limit the build's memory.") from error

    @asynccontextmanager
    async def _folder(self) -> AsyncIterator[Path]:
        self._building.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self._building))
        try:
            yield folder
        finally:
            await end_marked_processes(BUILD_FOLDER_MARK, str(folder), 0.0)
            await asyncio.to_thread(remove_tree, folder)

    def _write_order(self, folder: Path, order: BuildOrder) -> None:
        for name in ("home", "tmp", "docker"):
            (folder / name).mkdir(mode=0o700)
        if _OWN_PLUGINS.is_dir():  # where people install buildx for themselves
            (folder / "docker" / _OWN_PLUGINS.name).symlink_to(_OWN_PLUGINS)
        write_order(folder / "order.json", order)

    async def _write_login(self, folder: Path) -> None:
        """The registry's login, where Docker's own tools look for it."""
        registry = self._settings.registry
        login = await self._credentials.fetch() if registry.repository else None
        if login is not None:
            path = folder / "docker" / "config.json"
            path.touch(mode=0o600)
            path.write_text(docker_config_json(login, registry.host), encoding="utf-8")

    async def _run(self, folder: Path, progress: BuildProgress) -> Line:
        """The runner's last line."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", runner.__name__, str(folder / "order.json")),
            cwd=folder,
            env=self._variables(folder),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            start_new_session=True,
            preexec_fn=partial(die_with_parent, os.getpid()),
        )
        try:
            async with asyncio.TaskGroup() as group:
                errors = group.create_task(_read_tail(process.stderr))
                last = await _read_lines(process, progress)
                await process.wait()
        finally:
            await _end(process)
        if last is None:
            log.warning("runner_ended_early", status=process.returncode, errors=errors.result())
            raise MemberBuildFailed("The build was ended by something on the member's machine.")
        return last

    def _variables(self, folder: Path) -> dict[str, str]:
        """Nothing of the agent's own environment that is secret: a list, see `host/environment`."""
        return {
            **session_variables(os.environ, home=folder / "home", temporary=folder / "tmp"),
            **tool_environment(self._address),
            "DOCKER_CONFIG": str(folder / "docker"),
            "PYTHONUNBUFFERED": "1",
            OWNER_MARK: str(self._settings.state_dir.absolute()),
            BUILD_FOLDER_MARK: str(folder),
        }


async def _read_lines(process: asyncio.subprocess.Process, progress: BuildProgress) -> Line | None:
    last = None
    assert process.stdout is not None  # noqa: S101 - a pipe
    async for raw in process.stdout:
        line = read_line(raw.decode("utf-8", "replace"))
        if line.is_last:
            last = line
        else:
            relay(line, progress)
    return last


async def _read_tail(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None  # noqa: S101 - a pipe
    tail = b""
    while chunk := await stream.read(65536):
        tail = (tail + chunk)[-_ERRORS_TAIL:]
    return tail.decode("utf-8", "replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let it clean up, for a moment. Its pipes are not read any more, which ends it too."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
