"""A real agent on loopback, on a fake stack."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from aiohttp import web

from binder_federation.binder.build_tokens import BuildClaims, sign_build_token
from binder_federation.binder.events import Event, Phase, StreamParser, event_from_json
from binder_federation.cluster_agent.app import create_app
from binder_federation.cluster_agent.context import CONTEXT, AgentContext
from binder_federation.cluster_agent.serve import make_runner
from binder_federation.config.agent import AgentSettings
from binder_federation.runtime.tls import known_authorities
from tests.support.fake_stack import FakeStack

CREDENTIAL = "a-credential-for-tests-of-at-least-32-bytes"
SHA = "1234567890abcdef1234567890abcdef12345678"
"""A full commit id needs no provider to be resolved."""
PATH = f"gh/owner/repository/{SHA}"


@dataclass
class Seen:
    """A stream as a client saw it."""

    status: int
    headers: httpx.Headers
    events: list[Event] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    keepalives: int = 0

    @property
    def last(self) -> Event:
        return self.events[-1]

    @property
    def phases(self) -> list[str]:
        """The phases, each once for as long as it lasted."""
        phases: list[str] = []
        for event in self.events:
            if not phases or phases[-1] != event.phase.value:
                phases.append(event.phase.value)
        return phases

    @property
    def text(self) -> str:
        return "".join(event.message for event in self.events)


@dataclass
class AgentServer:
    """The agent under test."""

    url: str
    client: httpx.AsyncClient
    context: AgentContext
    stack: FakeStack
    runner: web.AppRunner
    is_stopped: bool = False

    async def stop(self) -> None:
        """Stop it in order, as a signal does."""
        if not self.is_stopped:
            self.is_stopped = True
            await self.runner.cleanup()

    async def launch(
        self,
        path: str = PATH,
        *,
        until: Phase | None = None,
        query: str = "",
        claims: BuildClaims | None = None,
        credential: str = CREDENTIAL,
        headers: dict[str, str] | None = None,
        begun: asyncio.Event | None = None,
        after: str = "",
    ) -> Seen:
        """Follow a launch to its end, or until an event of phase `until`, then leave.

        `begun` is set when the first event has come; `after` is the last event seen before.
        """
        claims = claims or BuildClaims(audience=path)
        token = sign_build_token(credential, claims, now=time.time())
        sent = {"Accept": "text/event-stream", "Authorization": f"Bearer {token}"}
        if after:
            sent["Last-Event-ID"] = after
        parser = StreamParser()
        async with self.client.stream(
            "GET", f"/build/{path}{query}", headers=sent if headers is None else headers
        ) as answer:
            seen = Seen(answer.status_code, answer.headers)
            async for chunk in answer.aiter_bytes():
                for message in parser.feed(chunk):
                    seen.events.append(event_from_json(message.data))
                    seen.ids.append(message.event_id)
                    seen.keepalives = parser.comments
                    if begun is not None:
                        begun.set()
                    if seen.last.phase.is_final or seen.last.phase is until:
                        return seen
        return seen

    async def dismiss(self, claims: BuildClaims, path: str = PATH) -> int:
        """Say that nobody wants the launch any more; the status of the answer."""
        token = sign_build_token(CREDENTIAL, claims, now=time.time())
        headers = {"Authorization": f"Bearer {token}"}
        return (await self.client.delete(f"/build/{path}", headers=headers)).status_code


@asynccontextmanager
async def running_agent(
    stack: FakeStack | None = None, **settings: Any
) -> AsyncIterator[AgentServer]:
    """An agent with quick retries, stopped in order at the end."""
    values: dict[str, Any] = {
        "name": "alpha",
        "credential": CREDENTIAL,
        "launch": {"retries": 2, "retry_first_seconds": 0.01, "timeout_seconds": 20},
        "keepalive_seconds": 5,
    }
    for name, value in settings.items():
        values[name] = {**values[name], **value} if isinstance(values.get(name), dict) else value
    stack = stack or FakeStack()
    app = create_app(AgentSettings(**values), stack=stack)
    runner = make_runner(app)
    await runner.setup()
    server: AgentServer | None = None
    try:
        site = web.TCPSite(runner, "127.0.0.1", settings.get("port", 0))
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(
            base_url=url, verify=known_authorities(), timeout=20, limits=limits
        ) as client:
            server = AgentServer(url, client, app[CONTEXT], stack, runner)
            yield server
    finally:
        await (server.stop() if server is not None else runner.cleanup())
