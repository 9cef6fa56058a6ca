"""Runs JupyterHub with its proxy below the agent, for as long as the agent lives.

Each run has its own ports, secrets and folder; the database is empty, or a file where
servers outlive their hub. The hub and the proxy are asked for their health through the
public address, the way visitors come, before the stack counts as started. A hub that
ends by itself is started again, at the same addresses and with the same secrets.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import structlog

from binder_federation.binder.messages import CheckRecord
from binder_federation.cluster_agent.stacks.base import StackNotReady
from binder_federation.cluster_agent.stacks.host.environment import session_variables
from binder_federation.cluster_agent.stacks.host.files import remove_tree
from binder_federation.cluster_agent.stacks.host.ports import free_ports, is_port_taken
from binder_federation.cluster_agent.stacks.host.tools import find_tool
from binder_federation.cluster_agent.stacks.managed_hub.run_settings import (
    SETTINGS_VARIABLE,
    RunSettings,
    write_run_settings,
)
from binder_federation.config.agent import AgentLaunchSettings
from binder_federation.runtime.processes import OWNER_MARK, die_with_parent
from binder_federation.runtime.tasks import BackgroundTasks
from binder_federation.runtime.tls import known_authorities

log = structlog.get_logger(__name__)

START_SECONDS = 60.0
STOP_SECONDS = 6.0
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
_TRIES = 3
_LOG_TAIL_BYTES = 4000
_LOG_BYTES_LIMIT = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HubPlan:
    """In what the stacks' hubs differ."""

    folder: Path
    """Of the run: its secrets, its log."""
    owner_mark: str
    host: str
    port: int
    """Where the proxy listens; 0 takes a free port."""
    port_setting: str
    """The setting that `port` comes from, for the message when it is taken."""
    most_sessions: int
    spawner_module: str
    spawner: Mapping[str, Any]
    public_url: str = ""
    """Where browsers reach the proxy, when that is another address than it listens on."""
    database: Path | None = None
    """A file that outlives the run, with the servers in it; None for one in memory."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Further variables of the hub's process."""


class ManagedHub:
    """JupyterHub as a child process. `start` it before its properties are asked."""

    def __init__(self, *, launch: AgentLaunchSettings, plan: HubPlan) -> None:
        self._launch = launch
        self._plan = plan
        self._run: RunSettings | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._tasks = BackgroundTasks()
        # Loopback only: a proxy for outgoing requests would not find it.
        self._client = httpx.AsyncClient(timeout=2.0, trust_env=False, verify=known_authorities())

    @property
    def api_url(self) -> str:
        """JupyterHub's REST API, not through the proxy."""
        return f"http://127.0.0.1:{self._current.hub_port}/hub/api"

    @property
    def api_token(self) -> str:
        """The token of the hub's service `binder`."""
        return self._current.service_token

    @property
    def public_url(self) -> str:
        """Where users' browsers reach the proxy."""
        return self._plan.public_url.rstrip("/") or self.proxy_url

    @property
    def proxy_url(self) -> str:
        """The proxy's address on this machine."""
        host = self._current.public_host
        if host in ("0.0.0.0", ""):  # noqa: S104 - compared, not listened on
            host = "127.0.0.1"
        shown = f"[{host}]" if ":" in host else host
        return f"http://{shown}:{self._current.public_port}"

    @property
    def _current(self) -> RunSettings:
        if self._run is None:
            raise RuntimeError("the hub is not started")
        return self._run

    async def start(self) -> None:
        """Start the hub and wait until it answers. Raises `StackNotReady`."""
        for tries_left in reversed(range(_TRIES)):
            await asyncio.to_thread(remove_tree, self._plan.folder)
            self._run = self._new_run()
            await asyncio.to_thread(self._make_folder, self._run)
            try:
                await self._start_process()
            except StackNotReady:
                tail = self._log_tail()
                log.warning("hub_not_started", log_tail=tail, tries_left=tries_left)
                # Between our choice of ports and the hub's start somebody took one.
                if tries_left == 0 or "address already in use" not in tail.lower():
                    raise
            else:
                break
        self._tasks.start(self._keep_running(), name="keep-hub-running")

    async def checks(self) -> tuple[CheckRecord, ...]:
        """Whether the hub and its proxy answer."""
        self._bound_log()
        hub, proxy = await asyncio.gather(
            self._answers(f"{self.api_url}/health"),
            self._answers(f"{self.proxy_url}/hub/api/health"),
        )
        return (
            CheckRecord(
                service="JupyterHub API", ok=hub, message="" if hub else "JupyterHub is silent."
            ),
            CheckRecord(service="Proxy", ok=proxy, message="" if proxy else "The proxy is silent."),
        )

    async def aclose(self) -> None:
        """Stop the hub, which ends its servers and the proxy; by force when it is too slow."""
        await self._tasks.aclose()
        await self._end_process()
        await self._client.aclose()
        await asyncio.to_thread(self._remove_all_but_log)

    def _new_run(self) -> RunSettings:
        plan, launch = self._plan, self._launch
        if plan.port and is_port_taken(plan.host, plan.port):
            raise StackNotReady(
                f"Port {plan.port} on {plan.host} is in use by another program.",
                advice=f"Choose another one as {plan.port_setting}, or 0 for any that is free.",
            )
        public_port, hub_port, traefik_port = free_ports(3)
        return RunSettings(
            owner_mark=plan.owner_mark,
            folder=str(plan.folder),
            public_host=plan.host,
            public_port=plan.port or public_port,
            hub_port=hub_port,
            traefik_port=traefik_port,
            traefik_binary=find_tool("traefik"),
            service_token=secrets.token_hex(32),
            proxy_password=secrets.token_hex(32),
            concurrent_launches=2 * launch.concurrent + 8,
            most_servers=plan.most_sessions + launch.concurrent,
            start_timeout_seconds=max(1, int(launch.timeout_seconds)),
            cull_idle_seconds=max(1, int(launch.cull_idle_seconds)),
            cull_every_seconds=max(1, int(launch.cull_every_seconds)),
            max_age_seconds=max(1, int(launch.max_age_seconds)),
            database_url=f"sqlite:///{plan.database}" if plan.database else "sqlite:///:memory:",
            are_servers_named=launch.named_servers,
            are_servers_kept=plan.database is not None,
            spawner_module=plan.spawner_module,
            spawner=plan.spawner,
        )

    def _make_folder(self, run: RunSettings) -> None:
        folder = self._plan.folder
        for path in (folder / "home", folder / "tmp"):
            path.mkdir(parents=True)
        folder.chmod(0o700)
        write_run_settings(self._settings_file, run)

    @property
    def _settings_file(self) -> Path:
        return self._plan.folder / "settings.json"

    async def _keep_running(self) -> None:
        """Start the hub again whenever it ended by itself, more slowly when it ends at once."""
        loop, pause = asyncio.get_running_loop(), FIRST_PAUSE_SECONDS
        while True:
            began_at, process = loop.time(), self._process
            status = await process.wait() if process is not None else None
            log.warning("hub_ended", status=status, log_tail=self._log_tail())
            ran_long = loop.time() - began_at > LONGEST_PAUSE_SECONDS
            pause = FIRST_PAUSE_SECONDS if ran_long else min(2 * pause, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)
            try:
                await self._start_process()
            except StackNotReady as error:
                log.warning("hub_not_started_again", reason=error.message)
            else:
                log.info("hub_started_again")

    async def _start_process(self) -> None:
        """Start the process and wait until it answers; on `StackNotReady` it is ended."""
        process = self._process = await self._new_process()
        try:
            await self._wait_until_well(process)
        except StackNotReady:
            await self._end_process()
            raise

    async def _new_process(self) -> asyncio.subprocess.Process:
        folder = self._plan.folder
        variables = session_variables(os.environ, home=folder / "home", temporary=folder / "tmp")
        command = [sys.executable, "-m", "jupyterhub", "-f", str(_CONFIG_FILE)]
        with self._log_path.open("ab") as log_file:
            return await asyncio.create_subprocess_exec(
                *command,
                cwd=folder,
                env={
                    **variables,
                    **self._plan.variables,
                    SETTINGS_VARIABLE: str(self._settings_file),
                    OWNER_MARK: self._plan.owner_mark,
                },
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log_file,
                stderr=log_file,
                start_new_session=True,  # Ctrl-C reaches the agent, which stops the hub in order
                preexec_fn=partial(die_with_parent, os.getpid()),
            )

    async def _wait_until_well(self, process: asyncio.subprocess.Process) -> None:
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._answers(f"{self.proxy_url}/hub/api/health"):
                    if process.returncode is not None:
                        raise StackNotReady(
                            "JupyterHub stopped while it started.", advice=self._log_advice
                        )
                    await asyncio.sleep(0.1)
        except TimeoutError as error:
            raise StackNotReady(
                f"JupyterHub did not answer within {START_SECONDS:.0f} seconds.",
                advice=self._log_advice,
            ) from error

    async def _answers(self, url: str) -> bool:
        try:
            return (await self._client.get(url)).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            log.warning("hub_stop_forced", after_seconds=STOP_SECONDS)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    @property
    def _log_path(self) -> Path:
        return self._plan.folder / "hub.log"

    @property
    def _log_advice(self) -> str:
        return f"Its log is in {self._log_path}."

    def _remove_all_but_log(self) -> None:
        if not self._plan.folder.is_dir():
            return
        for path in self._plan.folder.iterdir():
            if path != self._log_path:
                remove_tree(path)

    def _log_tail(self) -> str:
        try:
            return self._log_path.read_bytes()[-_LOG_TAIL_BYTES:].decode("utf-8", "replace")
        except OSError:
            return ""

    def _bound_log(self) -> None:
        """Begin the log anew when it is large (the hub appends, so it goes on at the start)."""
        with contextlib.suppress(OSError):
            if self._log_path.stat().st_size > _LOG_BYTES_LIMIT:
                os.truncate(self._log_path, 0)


_CONFIG_FILE = Path(__file__).with_name("jupyterhub_config.py")
