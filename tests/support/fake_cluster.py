"""A cluster's API on loopback, for what a real one does only when it is ill: it forgets
(410), answers 5xx or 429, cuts its answers. It has pods, their logs and Secrets, and lists of
nodes and quotas; nothing runs there: a test says what becomes of a pod.
"""

import asyncio
import json
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from kubernetes_asyncio.client import ApiClient, Configuration

from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi
from binder_federation.cluster_agent.stacks.kubernetes.requests import Requests

NAMESPACE = "here"
Json = dict[str, Any]


def status(code: int, reason: str, message: str = "") -> web.Response:
    """A refusal as the API makes it."""
    body = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return web.json_response(body, status=code)


class FakeCluster:
    """`async with FakeCluster() as cluster:`; `cluster.api` is a client of it."""

    def __init__(self) -> None:
        self.pods: dict[str, Json] = {}
        self.logs: dict[str, list[str]] = {}
        """Lines, each beginning with its time; each connection gets those from `sinceTime` on."""
        self.log_lines_per_connection = 1000
        self.has_logs = True
        """Otherwise asking for one is answered with 500."""
        self.nodes: list[Json] = []
        self.quotas: list[Json] = []
        self.secrets: list[str] = []
        """The names of those that were made."""
        self.deleted: list[str] = []
        """The names of pods that somebody deleted."""
        self.seen: list[str] = []
        """Methods and paths with queries, as they came."""
        self.watches = 0
        """Streams of changes that are open now."""
        self._answers: list[Callable[[], web.Response]] = []
        self._version = 0
        self._oldest = 0
        self._changes: list[tuple[int, Json]] = []
        self._news = asyncio.Condition()
        self._open: list[web.BaseRequest] = []
        self._runner: web.AppRunner | None = None

    def answer_next(self, *answers: Callable[[], web.Response]) -> None:
        """Answer the next requests like this instead."""
        self._answers += answers

    async def set_pod(self, name: str, manifest: Json | None = None, **pod_status: Any) -> None:
        """Make a pod, of `manifest` if there is one, or change its status."""
        there = self.pods.get(name)
        uid = there["metadata"]["uid"] if there else f"uid-{self._version}"
        pod = manifest or there or {"metadata": {}}
        version = {"name": name, "uid": uid, "resourceVersion": str(self._version + 1)}
        metadata = {**pod["metadata"], **version}
        self.pods[name] = {**pod, "metadata": metadata, "status": pod_status}
        await self._tell("MODIFIED" if there else "ADDED", self.pods[name])

    async def remove_pod(self, name: str) -> None:
        """Have a pod gone."""
        pod = self.pods.pop(name)
        metadata = {**pod["metadata"], "resourceVersion": str(self._version + 1)}
        await self._tell("DELETED", {**pod, "metadata": metadata})

    async def forget(self) -> None:
        """Remember no change from before this moment: watches from there are answered with 410."""
        self._version += 1
        self._oldest = self._version
        self._changes.clear()

    def cut(self) -> None:
        """Break off every stream."""
        for request in self._open:
            if request.transport is not None:
                request.transport.abort()
        self._open.clear()

    async def __aenter__(self) -> Self:
        app = web.Application()
        pods = f"/api/v1/namespaces/{NAMESPACE}/pods"
        app.router.add_get(pods, self._list)
        app.router.add_post(pods, self._create)
        app.router.add_get(f"{pods}/{{name}}", self._read)
        app.router.add_delete(f"{pods}/{{name}}", self._delete)
        app.router.add_get(f"{pods}/{{name}}/log", self._log)
        app.router.add_post(f"/api/v1/namespaces/{NAMESPACE}/secrets", self._create_secret)
        app.router.add_get(f"/api/v1/namespaces/{NAMESPACE}/events", self._no_events)
        app.router.add_get(f"/api/v1/namespaces/{NAMESPACE}/resourcequotas", self._list_quotas)
        app.router.add_get("/api/v1/nodes", self._list_nodes)
        app.router.add_get("/api/v1/pods", self._list)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        requests = Requests(client=ApiClient(configuration))
        self.api = KubernetesApi(requests=requests, namespace=NAMESPACE)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        await self.api.aclose()
        self.cut()
        await self._runner.cleanup()

    async def _tell(self, kind: str, pod: Json) -> None:
        self._version += 1
        self._changes.append((self._version, {"type": kind, "object": pod}))
        async with self._news:
            self._news.notify_all()

    def _scripted(self, request: web.Request) -> web.Response | None:
        self.seen.append(f"{request.method} {request.path_qs}")
        return self._answers.pop(0)() if self._answers else None

    async def _list(self, request: web.Request) -> web.StreamResponse:
        scripted = self._scripted(request)
        if scripted is not None:
            return scripted
        if "watch" in request.query:
            return await self._watch(request)
        metadata = {"resourceVersion": str(self._version)}
        wanted = request.query.get("labelSelector", "")
        found = [pod for pod in self.pods.values() if _has_labels(pod, wanted)]
        return web.json_response({"metadata": metadata, "items": found})

    async def _list_quotas(self, _request: web.Request) -> web.Response:
        return web.json_response({"items": self.quotas})

    async def _list_nodes(self, _request: web.Request) -> web.Response:
        return web.json_response({"items": self.nodes})

    async def _no_events(self, _request: web.Request) -> web.Response:
        return web.json_response({"items": []})

    async def _create_secret(self, request: web.Request) -> web.Response:
        secret = await request.json()
        self.secrets.append(secret["metadata"]["name"])
        return web.json_response(secret, status=201)

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        at = int(request.query["resourceVersion"])
        if at < self._oldest:
            return status(410, "Expired", "too old resource version")
        response = web.StreamResponse()
        await response.prepare(request)
        self._open.append(request)
        self.watches += 1
        try:
            while True:
                for version, change in [each for each in self._changes if each[0] > at]:
                    await response.write(json.dumps(change).encode() + b"\n")
                    at = version
                async with self._news:
                    await self._news.wait()
        except ConnectionResetError:
            return response
        finally:
            self.watches -= 1

    async def _create(self, request: web.Request) -> web.Response:
        scripted = self._scripted(request)
        if scripted is not None:
            return scripted
        manifest = await request.json()
        name = manifest["metadata"]["name"]
        if name in self.pods:
            return status(409, "AlreadyExists", f'pods "{name}" already exists')
        await self.set_pod(name, manifest)
        return web.json_response(self.pods[name], status=201)

    async def _read(self, request: web.Request) -> web.Response:
        scripted = self._scripted(request)
        if scripted is not None:
            return scripted
        pod = self.pods.get(request.match_info["name"])
        return web.json_response(pod) if pod else status(404, "NotFound")

    async def _delete(self, request: web.Request) -> web.Response:
        scripted = self._scripted(request)
        if scripted is not None:
            return scripted
        name, body = request.match_info["name"], await request.json()
        pod = self.pods.get(name)
        if pod is None:
            return status(404, "NotFound")
        if (
            body.get("preconditions", {}).get("uid", pod["metadata"]["uid"])
            != pod["metadata"]["uid"]
        ):
            return status(409, "Conflict", "the UID in the precondition does not match")
        self.deleted.append(name)
        await self.remove_pod(name)
        return web.json_response(pod)

    async def _log(self, request: web.Request) -> web.StreamResponse:
        """Some lines, then the connection is cut, as often as there are lines left."""
        scripted = self._scripted(request)
        if scripted is not None:
            return scripted
        if not self.has_logs:
            return status(500, "InternalError")
        since = request.query.get("sinceTime", "")[:19]
        lines = [each for each in self.logs[request.match_info["name"]] if each[:19] >= since]
        response = web.StreamResponse()
        await response.prepare(request)
        self._open.append(request)
        for line in lines[: self.log_lines_per_connection]:
            await response.write(f"{line}\n".encode())
        if len(lines) > self.log_lines_per_connection and request.transport is not None:
            self.log_lines_per_connection += 2
            request.transport.close()
        return response


def _has_labels(pod: Json, selector: str) -> bool:
    """Whether the pod has the labels of `a=b,c=d`."""
    labels = pod["metadata"].get("labels") or {}
    pairs = [pair.partition("=") for pair in selector.split(",") if pair]
    return all(labels.get(name) == value for name, _, value in pairs)
