"""Starts and ends the server of one session: a container, by DockerSpawner.

DockerSpawner makes, polls and removes the container. Waiting is our own: `start` notices
within a twentieth of a second that the server answers, and ends at once, with the end of
the server's log, when the container ended instead. The server is a plain Jupyter server:
it is given no address and no token of the hub. An image that is only in the registry is
pulled first.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import aiohttp
import docker  # type: ignore[import-untyped]
from docker.errors import APIError, DockerException, NotFound  # type: ignore[import-untyped]
from dockerspawner import DockerSpawner
from traitlets import Bool, Dict, Unicode

from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.stacks.containers.refusals import (
    NOT_FOUND,
    has_no_program,
    has_stopped,
)
from binder_federation.cluster_agent.stacks.containers.server_command import server_command
from binder_federation.cluster_agent.stacks.containers.session_resources import read_resources
from binder_federation.cluster_agent.stacks.docker.image_pulls import ImageNotPulled, pull_image
from binder_federation.cluster_agent.stacks.docker.isolation import is_root, resource_config
from binder_federation.cluster_agent.stacks.docker.labels import server_labels
from binder_federation.cluster_agent.stacks.managed_hub.session_request import (
    SessionRequest,
    read_session_request,
)
from binder_federation.config.resources import ResourceSettings

_LOOK_EVERY_SECONDS = 0.05
_LOOK_AT_CONTAINER_SECONDS = 0.5
_ENGINE_THREADS = 8
_STOP_SECONDS = 2
_LOG_TAIL_LINES = 20
_TELL_EVERY_SECONDS = 0.5
_NO_SPACE = "no space left"
_DISK_FULL = "The member's disk is full."


class SessionNotStarted(Exception):
    """A session could not begin; the text is for people (JupyterHub shows it)."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.jupyterhub_message = message


class SessionContainerSpawner(DockerSpawner):  # type: ignore[misc] # the library has no types
    """One session of an image."""

    resources = Dict(config=True, help="What a server gets, unless its launch says otherwise.")
    shared_host_config = Dict(config=True, help="What all containers have in common.")
    disk_config = Dict(config=True, help="What limits its disk, where the engine can.")
    session_labels = Dict(config=True, help="Labels of the container.")
    login_file = Unicode(config=True, help="The registry's login, if it needs one.")
    pulls_from = Unicode(
        "", config=True, help="The repository that images are pulled from, if any."
    )
    run_as_user = Unicode("", config=True, help="The user id that servers run as, if not theirs.")
    may_be_root = Bool(False, config=True, help="Whether servers may run as root.")

    _threads = ThreadPoolExecutor(_ENGINE_THREADS, thread_name_prefix="engine")
    _local = threading.local()
    may_limit_disk = True
    """Until the engine says that its storage cannot."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._request: SessionRequest | None = None
        self._told = 5, "Asking the engine for a server"

    @property
    def executor(self) -> ThreadPoolExecutor:
        """Some threads: one call that hangs does not stop all others."""
        return self._threads

    @property
    def client(self) -> docker.APIClient:
        """One connection pool a thread: docker-py does not promise more."""
        client = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = docker.APIClient(
                version="auto", **docker.utils.kwargs_from_env()
            )
        return client

    async def start(self) -> str:
        """Make the container and wait until its server answers; returns the server's address.

        The hub does not cancel a start that takes too long, so it ends by itself.
        """
        request, resources = self._read_options()
        try:
            async with asyncio.timeout(self.start_timeout):
                await self._ensure_image()
                await self._make_container(resources)
                return await self._wait_until_it_answers(request)
        except TimeoutError as error:
            raise SessionNotStarted(
                f"The server did not answer within {self.start_timeout} seconds."
            ) from error
        except APIError as error:
            raise SessionNotStarted(_why_refused(error)) from error
        except (DockerException, OSError) as error:
            raise SessionNotStarted("The container engine does not answer.") from error

    async def stop(self, now: bool = False) -> None:
        """End the container and remove it. The server's files are nobody's afterwards."""
        with contextlib.suppress(NotFound):
            if not now:
                await self.docker("stop", self.container_name, timeout=_STOP_SECONDS)
        await self._remove_container()
        self.clear_state()

    async def run_post_stop_hook(self) -> None:
        """Leave nothing. JupyterHub calls this after every end, `stop` only while `poll` is None:
        not when the server ended by itself, or when `start` failed half way."""
        await self._remove_container()
        self._request = None

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """What happens until the server answers. The hub ends this when the start has ended."""
        shown = None
        while True:
            if self._told != shown:
                shown = self._told
                yield {"progress": shown[0], "message": shown[1]}
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    def template_namespace(self) -> dict[str, str]:
        """What the container's name may be made of: also `machine_name`."""
        usual: dict[str, str] = super().template_namespace()
        return {**usual, "machine_name": self._server_name.machine_name}

    def get_args(self) -> list[str]:
        """None beside the command: it has them all."""
        return []

    def get_env(self) -> dict[str, str]:
        """The server's variables: not the hub's, whose token is not for visitors."""
        if self._request is None:
            raise RuntimeError("the session has no request")
        return {
            **self._request.variables,
            "JUPYTER_TOKEN": self._request.token,
            "JUPYTER_IMAGE": self.image,
            "JUPYTERHUB_USER": self.user.name,
            "JUPYTERHUB_BASE_URL": self.hub.base_url.removesuffix("hub/"),
            "JUPYTERHUB_SERVICE_PREFIX": self.server.base_url,
        }

    @property
    def _server_name(self) -> ServerName:
        return ServerName(self.user.name, self.name)

    def _read_options(self) -> tuple[SessionRequest, ResourceSettings]:
        usual = ResourceSettings.model_validate(self.resources)
        try:
            request = read_session_request(self.user_options)
            resources = read_resources(self.user_options, usual)
        except ValueError as error:
            raise SessionNotStarted(f"The launch request is not valid: {error}") from error
        if not request.image:
            raise SessionNotStarted("The launch names no image.")
        self._request = request
        self.image = request.image
        self.cmd = server_command(
            port=self.port, base_url=self.server.base_url, may_be_root=self.may_be_root
        )
        return request, resources

    async def _ensure_image(self) -> None:
        """Have the image on the engine; refuse one whose user is root, where that is asked for."""
        try:
            found = await self.docker("inspect_image", self.image)
        except NotFound:
            await self._pull()
            found = await self.docker("inspect_image", self.image)
        user = self.run_as_user or str(found["Config"].get("User") or "")
        if is_root(user) and not self.may_be_root:
            raise SessionNotStarted(
                "The image's user is root, and servers do not run as root here."
            )

    async def _pull(self) -> None:
        # Without a registry of ours such a name would be looked for on the internet.
        if not self.pulls_from or not self.image.startswith(f"{self.pulls_from}:"):
            raise SessionNotStarted("The image is not here any more.")
        self._tell(10, "Fetching the image")
        loop = asyncio.get_running_loop()
        told_at = loop.time()

        def on_progress(progress: Mapping[str, int]) -> None:
            nonlocal told_at
            if loop.time() - told_at >= _TELL_EVERY_SECONDS:
                told_at = loop.time()
                share = progress["done"] / max(1, progress["layers"])
                words = f"Fetching the image: {progress['done']} of {progress['layers']} layers"
                loop.call_soon_threadsafe(self._tell, 10 + int(40 * share), words)

        # A client and a thread of its own: it takes minutes, and no time without words is too long.
        client = docker.APIClient(version="auto", timeout=600, **docker.utils.kwargs_from_env())
        try:
            await asyncio.to_thread(
                pull_image,
                client,
                self.image,
                login_file=Path(self.login_file),
                on_progress=on_progress,
            )
        except ImageNotPulled as error:
            self.log.warning("%s: %s", self._log_name, error)
            raise SessionNotStarted(
                "The image could not be fetched from the member's registry."
            ) from error
        finally:
            client.close()

    async def _make_container(self, resources: ResourceSettings) -> None:
        self._tell(50, "Starting the server")
        limits = resource_config(resources)
        created: dict[str, Any] = {
            "labels": {**self.session_labels, **server_labels(self._server_name)}
        }
        if self.run_as_user:
            created["user"] = self.run_as_user
        self.extra_create_kwargs = created
        await self._remove_container()  # an earlier try's
        disk = self.disk_config if self.may_limit_disk else {}
        self.extra_host_config = {**self.shared_host_config, **limits, **disk}
        try:
            made = await self.create_object()
        except APIError as error:
            if not disk or "storage-opt" not in str(error.explanation):
                raise
            self.log.warning("The engine cannot limit a server's disk: %s", error.explanation)
            SessionContainerSpawner.may_limit_disk = False
            self.extra_host_config = {**self.shared_host_config, **limits}
            made = await self.create_object()
        self.object_id = made[self.object_id_key]
        await self.start_object()

    async def _remove_container(self) -> None:
        try:
            await self.docker("remove_container", self.container_name, v=True, force=True)
        except NotFound:
            pass
        except APIError as error:
            if error.status_code != 409:  # it is being removed already
                raise
        self.object_id = ""

    async def _wait_until_it_answers(self, request: SessionRequest) -> str:
        host, port = await self.get_ip_and_port()
        url = f"http://{host}:{port}"
        # Connecting to a container that has ended takes as long as it may.
        timeout = aiohttp.ClientTimeout(total=2, sock_connect=0.3)
        loop = asyncio.get_running_loop()
        look_at = loop.time() + _LOOK_AT_CONTAINER_SECONDS
        async with aiohttp.ClientSession(timeout=timeout) as client:
            while not await self._answers(client, url, request):
                if loop.time() >= look_at:
                    await self._refuse_ended()
                    look_at = loop.time() + _LOOK_AT_CONTAINER_SECONDS
                await asyncio.sleep(_LOOK_EVERY_SECONDS)
        return url

    async def _answers(
        self, client: aiohttp.ClientSession, url: str, request: SessionRequest
    ) -> bool:
        """Whether it is the server that answers, with this session's token."""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with client.get(
                f"{url}{self.server.base_url}api/status",
                headers={"Authorization": f"token {request.token}"},
            ) as answer:
                return answer.status == 200
        return False

    async def _refuse_ended(self) -> None:
        found = await self.get_object()
        if found is not None and found["State"]["Running"]:
            return
        if found is None:
            raise SessionNotStarted("The server's container was removed while it started.")
        output = await self.docker("logs", self.container_id, tail=_LOG_TAIL_LINES)
        text = output.decode("utf-8", "replace")
        self.log.warning("%s ended early: %s", self._log_name, text)
        if found["State"].get("OOMKilled"):
            raise SessionNotStarted("The server needs more memory than it may have.")
        if _NO_SPACE in text.lower():
            raise SessionNotStarted(_DISK_FULL)
        raise SessionNotStarted(has_stopped(found["State"].get("ExitCode", "unknown")))

    def _tell(self, percent: int, message: str) -> None:
        self._told = percent, message


def _why_refused(error: APIError) -> str:
    text = str(error.explanation or "")
    if _NO_SPACE in text.lower():
        return _DISK_FULL
    if has_no_program(text):
        return has_stopped(NOT_FOUND)
    if error.status_code == 404:
        return "The image, or the servers' network, is not there any more."
    return "The container engine could not start the server."
