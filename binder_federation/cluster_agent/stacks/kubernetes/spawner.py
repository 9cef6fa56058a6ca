"""Starts and ends the server of one session: a pod, by KubeSpawner.

KubeSpawner makes the pod's manifest, watches pods and events, polls and deletes. Waiting
is our own: `start` notices within a twentieth of a second that the server answers, where
the library and the hub double their pauses, and it ends at once with a true sentence
when the pod cannot start (`pod_start.py`). The server is a plain Jupyter server: it is
given no address and no token of the hub.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from kubernetes_asyncio.client import ApiException
from kubespawner import KubeSpawner
from traitlets import Bool, Dict, Float, Integer

from binder_federation.cluster_agent.stacks.containers.refusals import NO_ROOM
from binder_federation.cluster_agent.stacks.containers.server_command import server_command
from binder_federation.cluster_agent.stacks.containers.session_resources import read_resources
from binder_federation.cluster_agent.stacks.kubernetes.pod_start import PodStart, has_ended
from binder_federation.cluster_agent.stacks.kubernetes.reserved import with_guarantees
from binder_federation.cluster_agent.stacks.managed_hub.session_request import (
    SessionRequest,
    read_session_request,
)
from binder_federation.config.resources import ResourceSettings

_LOOK_EVERY_SECONDS = 0.05
_EVENTS_EVERY_SECONDS = 0.2
_STOP_SECONDS = 60.0
_APPEAR_SECONDS = 10.0
"""A pod that the watch does not show for so long: the watch is dead, not the pod."""


class SessionNotStarted(Exception):
    """A session could not begin; the text is for people (JupyterHub shows it)."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.jupyterhub_message = message


class SessionNotStopped(Exception):
    """The cluster did not end a session's pod in time; the agent's housekeeping goes on."""


class SessionPodSpawner(KubeSpawner):  # type: ignore[misc] # the library has no types
    """One session of an image."""

    resources = Dict(config=True, help="What a server gets, unless its launch says otherwise.")
    image_pull_tries = Integer(3, config=True, help="So many failed pulls end a start.")
    unschedulable_seconds = Float(
        None, allow_none=True, config=True, help="A pod without a node for so long has failed."
    )
    may_be_root = Bool(False, config=True, help="Whether servers may run as root.")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._request: SessionRequest | None = None

    async def start(self) -> str:
        """Make the pod and wait until its server answers; returns the server's address.

        The hub does not cancel a start that takes too long, so it ends by itself.
        """
        request = self._apply_options()
        await self._start_watching_pods()
        await self._start_watching_events()
        self._forget_old_events()
        try:
            async with asyncio.timeout(self.start_timeout):
                await self._create(await self.get_pod_manifest())
                return await self._wait_until_it_answers(request)
        except TimeoutError as error:
            raise SessionNotStarted(
                f"The server did not answer within {self.start_timeout} seconds."
            ) from error

    async def stop(self, now: bool = False) -> None:
        """Delete the pod; returns when its server has ended, which nodes tell before they are
        done with the pod itself (seconds later, sometimes a minute)."""
        await self._start_watching_pods()
        try:
            async with asyncio.timeout(_STOP_SECONDS):
                await self._delete(grace_seconds=0 if now else self.delete_grace_period)
                await self._wait_until_ended()
        except TimeoutError as error:
            raise SessionNotStopped(f"{self.pod_name} does not end.") from error

    async def run_post_stop_hook(self) -> None:
        """Leave nothing. JupyterHub calls this after every end, `stop` only while `poll` is None:
        not when the server ended by itself."""
        pod = self._pod()
        if pod is not None and not pod["metadata"].get("deletionTimestamp"):
            await self.stop(now=True)
        self._request = None

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """What the cluster tells of the pod. The hub ends this when the start has ended."""
        yield {"progress": 10, "message": "Asking the cluster for a server"}
        told, percent = 0, 10.0
        while True:
            events = self.events
            for event in events[told:]:
                percent += (90 - percent) / 3
                yield {"progress": int(percent), "message": _line(event)}
            told = len(events)
            await asyncio.sleep(_EVENTS_EVERY_SECONDS)

    def get_args(self) -> list[str]:
        """None beside the command: it has them all."""
        return []

    def get_env(self) -> dict[str, str]:
        """The server's variables: not the hub's, whose token is not for visitors."""
        if self._request is None:
            raise RuntimeError("the session has no request")
        variables = {
            **self._request.variables,
            "JUPYTER_TOKEN": self._request.token,
            "JUPYTER_IMAGE": self.image,
            "JUPYTERHUB_USER": self.user.name,
            "JUPYTERHUB_BASE_URL": self.hub.base_url.removesuffix("hub/"),
            "JUPYTERHUB_SERVICE_PREFIX": self.server.base_url,
        }
        # Kubernetes would put other variables' values in the place of `$(NAME)`.
        return {name: value.replace("$", "$$") for name, value in variables.items()}

    def _apply_options(self) -> SessionRequest:
        usual = ResourceSettings.model_validate(self.resources)
        try:
            request = read_session_request(self.user_options)
            resources = with_guarantees(read_resources(self.user_options, usual))
        except ValueError as error:
            raise SessionNotStarted(f"The launch request is not valid: {error}") from error
        self._request = request
        self.image = request.image
        self.mem_limit = resources.memory_limit or None
        self.mem_guarantee = resources.memory_guarantee
        self.cpu_limit, self.cpu_guarantee = resources.cpu_limit, resources.cpu_guarantee
        self.cmd = server_command(
            port=self.port, base_url=self.server.base_url, may_be_root=self.may_be_root
        )
        return request

    async def _create(self, pod: Any) -> None:
        """Make the pod; one that is there under its name is an earlier try's, and goes."""
        try:
            while not await self._try_to_create(pod):
                await self._delete(grace_seconds=0)
                await asyncio.sleep(_LOOK_EVERY_SECONDS)
        except ApiException as error:
            raise SessionNotStarted(_why_refused(error)) from error

    async def _try_to_create(self, pod: Any) -> bool:
        try:
            await self.api.create_namespaced_pod(self.namespace, pod)
        except ApiException as error:
            if error.status != 409 or "AlreadyExists" not in str(error.body):
                raise
            return False
        return True

    async def _delete(self, *, grace_seconds: int) -> None:
        try:
            await self.api.delete_namespaced_pod(
                self.pod_name, self.namespace, grace_period_seconds=grace_seconds
            )
        except ApiException as error:
            if error.status != 404:
                raise

    async def _wait_until_ended(self) -> None:
        while True:
            if has_ended(self._pod()):
                return
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def _wait_until_it_answers(self, request: SessionRequest) -> str:
        loop = asyncio.get_running_loop()
        start = PodStart(
            pull_tries=self.image_pull_tries, unschedulable_seconds=self.unschedulable_seconds
        )
        watch_again_at = loop.time() + _APPEAR_SECONDS
        timeout = aiohttp.ClientTimeout(total=2)
        async with aiohttp.ClientSession(timeout=timeout) as client:
            while True:
                pod = self._pod()
                start.observe(pod, now=loop.time())
                if start.trouble:
                    raise SessionNotStarted(start.trouble)
                if start.address:
                    url = f"http://{start.address}:{self.port}"
                    if await self._answers(client, url, request):
                        return url
                if pod is None and loop.time() >= watch_again_at:
                    await self._start_watching_pods(replace=True)
                    watch_again_at = loop.time() + _APPEAR_SECONDS
                await asyncio.sleep(_LOOK_EVERY_SECONDS)

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

    def _pod(self) -> dict[str, Any] | None:
        pods = self.pod_reflector.pods if self.pod_reflector else {}
        pod: dict[str, Any] | None = pods.get(f"{self.namespace}/{self.pod_name}")
        return pod

    def _forget_old_events(self) -> None:
        """Events of an earlier pod of this name are not told again."""
        events = self.events
        if events:
            self._last_event = events[-1]["metadata"]["uid"]


def _line(event: dict[str, Any]) -> str:
    text = event.get("message") or event.get("reason") or ""
    return f"Warning: {text}" if event.get("type") == "Warning" else text


def _why_refused(error: ApiException) -> str:
    body = str(error.body)
    if error.status == 403 and "exceeded quota" in body:
        return f"{NO_ROOM}: its quota is used up."
    if error.status == 403:
        return "The cluster does not allow this member to make the server's pod."
    return f"The cluster refused the server's pod with status {error.status}."
