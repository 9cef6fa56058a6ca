"""deploy #3387: a push stalls, and with it every build after it."""

import asyncio
import gc
import json
import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiodocker
import pytest
from aiohttp import web

from binder_federation.binder.errors import MemberBuildFailed
from binder_federation.cluster_agent.stacks.repo2docker.pushing import push_image
from tests.support.eventually import eventually

LAYERS = ("one", "two")


class HangingEngine:
    """An engine whose registry hangs after the last blob: it tells the same for ever."""

    def __init__(self) -> None:
        self.pushes = 0
        self.url = ""

    async def push(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        self.pushes += 1
        try:
            for layer in LAYERS:
                await response.write(line(id=layer, status="Preparing"))
            while True:
                for layer in LAYERS:
                    sent = {"current": 1000, "total": 1000}
                    await response.write(line(id=layer, status="Pushing", progressDetail=sent))
                await asyncio.sleep(0.01)
        finally:
            self.pushes -= 1


def line(**fields: object) -> bytes:
    return json.dumps(fields).encode() + b"\r\n"


@asynccontextmanager
async def hanging_engine() -> AsyncIterator[HangingEngine]:
    engine = HangingEngine()
    app = web.Application()
    app.router.add_post("/v1.41/images/{name:.+}/push", engine.push)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        engine.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield engine
    finally:
        await runner.cleanup()


async def test_deploy_3387_push_stalls() -> None:
    """The push is given up once nothing new is told, as the member's failure, in the engine too."""
    told: list[Mapping[str, int]] = []
    async with hanging_engine() as engine:
        async with aiodocker.Docker(url=engine.url, api_version="v1.41") as client:
            with pytest.raises(MemberBuildFailed, match="made no progress"):
                await push_image(
                    client,
                    "registry.invalid/images:one",
                    login=None,
                    timeout_seconds=20.0,
                    stall_seconds=0.3,
                    on_progress=told.append,
                )

        async def is_let_go() -> bool:
            return engine.pushes == 0

        await eventually(is_let_go, what="the engine to be left alone")
    assert told, "nobody was shown how far the push came"
    # aiodocker leaves an answer that is not read to its end to the collector, which complains.
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()
