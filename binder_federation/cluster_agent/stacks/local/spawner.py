"""Starts and ends the server of one session: a process of this user, without isolation.

`start` returns when the server answers, which it notices within a twentieth of a
second; JupyterHub's own waiting doubles its pauses. `stop` ends everything that
carries the session's mark, also what left the server's process group, and removes
the session's folder.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from jupyterhub.spawner import Spawner
from traitlets import Unicode

from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.stacks.containers.refusals import has_stopped
from binder_federation.cluster_agent.stacks.host.environment import session_variables
from binder_federation.cluster_agent.stacks.host.files import remove_tree
from binder_federation.cluster_agent.stacks.host.ports import free_ports, is_port_taken
from binder_federation.cluster_agent.stacks.local.folders import (
    ImageFolder,
    StackFolders,
)
from binder_federation.cluster_agent.stacks.local.image_record import ImageRecordFile, read_record
from binder_federation.cluster_agent.stacks.local.server_command import (
    server_arguments,
    server_command,
)
from binder_federation.cluster_agent.stacks.local.session_files import (
    SessionFolder,
    copy_commands,
    make_environment,
    session_python_variables,
)
from binder_federation.cluster_agent.stacks.local.sweep import SESSION_MARK
from binder_federation.cluster_agent.stacks.managed_hub.session_request import (
    SessionRequest,
    read_session_request,
)
from binder_federation.runtime.processes import (
    OWNER_MARK,
    die_with_parent,
    end_marked_processes,
)

_LOOK_EVERY_SECONDS = 0.05
_STOP_GRACE_SECONDS = 2.0
_TRIES = 3
_LOG_TAIL_BYTES = 4000


class SessionNotStarted(Exception):
    """A session could not begin; the text is for people (JupyterHub shows it)."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.jupyterhub_message = message


class _ServerExited(Exception):
    """The server's process ended before it answered."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class SessionSpawner(Spawner):  # type: ignore[misc] # the library has no types
    """One session of an image."""

    state_dir = Unicode(config=True, help="The agent's state folder (absolute).")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._process: asyncio.subprocess.Process | None = None
        self._begun = asyncio.Event()

    @property
    def _session(self) -> SessionFolder:
        server = ServerName(self.user.name, self.name)
        return SessionFolder(StackFolders(Path(self.state_dir)).session(server.machine_name))

    async def start(self) -> str:
        """Make the session's folder, start its server; returns the server's address."""
        request, image, record = self._read_request()
        await self._make_folder(image, record)
        for last_try in (False,) * (_TRIES - 1) + (True,):
            (self.port,) = free_ports(1)
            try:
                await self._start_server(request, image, record)
            except _ServerExited as error:
                # Somebody may have taken the port between our choice and the server's start.
                if last_try or not is_port_taken("127.0.0.1", self.port):
                    self._log_server_output()
                    raise SessionNotStarted(has_stopped(error.exit_code)) from error
            else:
                break
        return f"http://127.0.0.1:{self.port}"

    async def poll(self) -> int | None:
        """None while the server runs, else its exit status."""
        return 0 if self._process is None else self._process.returncode

    async def stop(self, now: bool = False) -> None:
        """End everything of the session."""
        grace_seconds = 0.0 if now else _STOP_GRACE_SECONDS
        await end_marked_processes(SESSION_MARK, str(self._session.path), grace_seconds)
        if self._process is not None:
            await self._process.wait()

    async def run_post_stop_hook(self) -> None:
        """Leave nothing. JupyterHub calls this after every end, `stop` only while `poll` is None:
        not when the server ended by itself, or when `start` failed half way."""
        await self.stop()
        self._process = None
        self._begun.clear()
        await asyncio.to_thread(remove_tree, self._session.path)

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """What happens until the server answers."""
        yield {"progress": 10, "message": "Copying the files"}
        await self._begun.wait()
        yield {"progress": 50, "message": "Starting the server"}

    def _read_request(self) -> tuple[SessionRequest, ImageFolder, ImageRecordFile]:
        try:
            request = read_session_request(self.user_options)
            image = StackFolders(Path(self.state_dir)).image(request.image)
        except ValueError as error:
            raise SessionNotStarted(f"The launch request is not valid: {error}") from error
        record = read_record(image)
        if record is None:
            raise SessionNotStarted("The image is not here any more.")
        return request, image, record

    async def _make_folder(self, image: ImageFolder, record: ImageRecordFile) -> None:
        session = self._session
        await asyncio.to_thread(remove_tree, session.path)
        session.path.mkdir(mode=0o700, parents=True)
        for command in copy_commands(image, session):
            copying = await asyncio.create_subprocess_exec(
                *command, env={**self._marks(), "PATH": os.defpath}, start_new_session=True
            )
            if await copying.wait() != 0:
                raise SessionNotStarted("The session's files could not be copied.")
        make_environment(image, record, session)  # milliseconds; a thread could outlive a stop

    async def _start_server(
        self, request: SessionRequest, image: ImageFolder, record: ImageRecordFile
    ) -> None:
        session = self._session
        arguments = server_arguments(
            port=self.port, base_url=self.server.base_url, runs_as_root=os.getuid() == 0
        )
        command = server_command(
            environment=session.environment,
            start=_start_command(session, record),
            arguments=arguments,
        )
        with session.server_log.open("ab") as log_file:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                cwd=session.files,
                env=self._variables(request, image),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid()),
            )
        self._begun.set()
        await self._wait_until_it_answers(self._process)

    async def _wait_until_it_answers(self, process: asyncio.subprocess.Process) -> None:
        """Returns when the server answers; JupyterHub ends it when `start_timeout` passed."""
        url = f"http://127.0.0.1:{self.port}{self.server.base_url}api"
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as client:
            while process.returncode is None:
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with client.get(url) as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(_LOOK_EVERY_SECONDS)
        raise _ServerExited(process.returncode)

    def _variables(self, request: SessionRequest, image: ImageFolder) -> dict[str, str]:
        session = self._session
        inherited = session_variables(os.environ, home=session.home, temporary=session.temporary)
        path = f"{session.environment}/bin:{image.environment}/bin:{inherited['PATH']}"
        return {
            **inherited,
            **session_python_variables(image, session),
            **request.variables,
            **self._marks(),
            "PATH": path,
            "SHELL": "/bin/bash",
            "USER": self.user.name,
            "JUPYTER_TOKEN": request.token,
            "JUPYTERHUB_USER": self.user.name,
            "JUPYTERHUB_BASE_URL": self.hub.base_url.removesuffix("hub/"),
            "JUPYTERHUB_SERVICE_PREFIX": self.server.base_url,
        }

    def _marks(self) -> dict[str, str]:
        return {OWNER_MARK: self.state_dir, SESSION_MARK: str(self._session.path)}

    def _log_server_output(self) -> None:
        output = self._session.server_log.read_bytes()[-_LOG_TAIL_BYTES:]
        self.log.warning("%s ended early: %s", self._log_name, output.decode("utf-8", "replace"))


def _start_command(session: SessionFolder, record: ImageRecordFile) -> list[str]:
    script = [str(session.files / record.start)] if record.start else []
    return [record.start_interpreter, *script] if record.start_interpreter else script
