"""A real federation on loopback, with the members of a test."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from binder_federation.binder.events import Event, Phase, StreamParser, event_from_json
from binder_federation.config.federation import FederationSettings
from binder_federation.federation.app import create_app
from binder_federation.federation.context import CONTEXT, FederationContext
from binder_federation.runtime.serving import Runner, listen
from binder_federation.runtime.tls import known_authorities
from tests.support.eventually import eventually
from tests.support.fake_binderhub import FakeBinderHub
from tests.support.fake_member import FakeMember

AnyMember = FakeMember | FakeBinderHub

ADMIN_TOKEN = "an-admin-token-of-the-tests"
SHA = "1" * 40
"""A full commit id needs no provider to be resolved."""


@dataclass
class Seen:
    """A stream as a client saw it: events and their ids."""

    status: int
    events: list[Event] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)

    @property
    def last(self) -> Event:
        return self.events[-1]

    @property
    def phases(self) -> list[str]:
        return [event.phase.value for event in self.events]


@dataclass
class FederationServer:
    """The federation under test."""

    url: str
    client: httpx.AsyncClient
    context: FederationContext

    async def wait_until_up(self, *names: str) -> None:
        async def are_up() -> bool:
            members = (await self.client.get("/api/members")).json()["members"]
            up = {member["name"] for member in members if member["state"] == "up"}
            return up >= set(names)

        await eventually(are_up, what=f"{', '.join(names)} to be up")

    async def launch(
        self,
        path: str = f"gh/owner/repository/{SHA}",
        *,
        most_events: int = 10_000,
        until: Phase | None = None,
        headers: dict[str, str] | None = None,
        query: str = "",
    ) -> Seen:
        """Follow a launch to its end, for so many events, or to the first of phase `until`."""
        all_headers = {"Accept": "text/event-stream", **(headers or {})}
        parser = StreamParser()
        async with self.client.stream(
            "GET", f"/build/{path}{query}", headers=all_headers
        ) as answer:
            seen = Seen(answer.status_code)
            async for chunk in answer.aiter_bytes():
                for message in parser.feed(chunk):
                    seen.events.append(event_from_json(message.data))
                    seen.ids.append(message.event_id)
                    is_enough = len(seen.events) >= most_events or seen.last.phase is until
                    if seen.last.phase.is_final or is_enough:
                        return seen
        return seen


async def _be_an_operator(request: httpx.Request) -> None:
    """Orders are an operator's, unless the test says whose they are."""
    is_order = request.url.path.startswith(("/api/admin/", "/api/builds"))
    is_anybodys = "Authorization" in request.headers or "X-Forwarded-For" in request.headers
    if is_order and not is_anybodys:
        request.headers["Authorization"] = f"Bearer {ADMIN_TOKEN}"


@asynccontextmanager
async def running_federation(
    members: Sequence[AnyMember],
    *,
    each_member: Mapping[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[FederationServer]:
    """A federation of these members, which are expected to be up at first.

    `each_member` are further settings of every one of them.
    """
    quick: dict[str, Any] = {
        "health": {"probe_every_seconds": 0.2, "probe_timeout_seconds": 5.0},
        "launch": {"silence_seconds": 20.0, "hold_seconds": 0.2},
        "members": [{**member.settings, **(each_member or {})} for member in members],
    }
    # No settings of a test's own: the client has the token of an operator, for the admin API.
    quick["admin"] = {"token": ADMIN_TOKEN}
    quick["joining"] = {"allow_private_addresses": True}  # all of them are on loopback
    for name, value in settings.items():
        quick[name] = {**quick[name], **value} if isinstance(quick.get(name), dict) else value
    app = await create_app(FederationSettings(**quick))
    runner = Runner(app, shutdown_seconds=0.1)
    await runner.setup()
    host = settings.get("host", "127.0.0.1")
    await listen(runner, host, settings.get("port", 0))
    url = f"http://{host}:{runner.addresses[0][1]}"
    try:
        async with httpx.AsyncClient(
            base_url=url,
            verify=known_authorities(),
            timeout=30,
            event_hooks={"request": [_be_an_operator]},
        ) as client:
            server = FederationServer(url, client, app[CONTEXT])
            await server.wait_until_up(*(member.name for member in members))
            yield server
    finally:
        await runner.cleanup()
