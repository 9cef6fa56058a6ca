"""A way to a real cluster's API that a test can break: it passes requests on, or fails them."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web
from kubernetes_asyncio.client import ApiClient, Configuration
from kubernetes_asyncio.config import load_kube_config

from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi
from binder_federation.cluster_agent.stacks.kubernetes.requests import Requests

Fails = Callable[[web.BaseRequest], bool]


class ClusterProxy:
    """`async with ClusterProxy() as proxy:` stands before the cluster of KUBECONFIG."""

    def __init__(self) -> None:
        self.fails: Fails = lambda _request: False
        """Which requests are answered with 500."""
        self.failed = 0
        self.seen: list[str] = []
        """Methods and paths (with their query) of what came."""
        self._clients: list[KubernetesApi] = []
        self._transports: set[asyncio.Transport] = set()
        self._runner: web.ServerRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self._target = ""
        self._headers: dict[str, str] = {}
        self._port = 0

    def client(self, namespace: str) -> KubernetesApi:
        """A client that goes this way, closed with it."""
        configuration = Configuration()
        configuration.host = f"http://127.0.0.1:{self._port}"
        requests = Requests(client=ApiClient(configuration))
        self._clients.append(KubernetesApi(requests=requests, namespace=namespace))
        return self._clients[-1]

    def cut(self) -> int:
        """Break every connection that is open; how many."""
        cut = [transport for transport in self._transports if not transport.is_closing()]
        for transport in cut:
            transport.abort()
        return len(cut)

    async def __aenter__(self) -> Self:
        configuration = Configuration()
        await load_kube_config(
            config_file=os.environ["KUBECONFIG"],
            client_configuration=configuration,
            persist_config=False,
        )
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        if configuration.cert_file:
            context.load_cert_chain(configuration.cert_file, configuration.key_file)
        if not configuration.verify_ssl:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        token = configuration.api_key.get("BearerToken")
        self._headers = {"Authorization": token} if token else {}
        self._target = str(configuration.host)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=0),
            timeout=aiohttp.ClientTimeout(total=None),
        )
        self._runner = web.ServerRunner(
            web.Server(self._handle, access_log=None), shutdown_timeout=1
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for client in self._clients:
            await client.aclose()
        self.cut()
        assert self._runner is not None
        assert self._session is not None
        await self._session.close()
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.seen.append(f"{request.method} {request.raw_path}")
        if self.fails(request):
            self.failed += 1
            return web.Response(status=500, text="told to fail\n")
        assert isinstance(request.transport, asyncio.Transport)
        self._transports = {each for each in self._transports if not each.is_closing()}
        self._transports.add(request.transport)
        return await self._pass_on(request)

    async def _pass_on(self, request: web.BaseRequest) -> web.StreamResponse:
        assert self._session is not None
        headers = {**self._headers, "Content-Type": request.content_type}
        async with self._session.request(
            request.method,
            f"{self._target}{request.raw_path}",
            data=await request.read() or None,
            headers=headers,
        ) as answer:
            response = web.StreamResponse(
                status=answer.status, headers={"Content-Type": answer.content_type}
            )
            await response.prepare(request)
            with contextlib.suppress(ConnectionResetError):  # it was cut, or the client left
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
            return response
