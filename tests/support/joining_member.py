"""A member that joins: a `FakeMember` with what a preflight asks for, and an agent's signatures.

`is_buffering` has its stream test come all at once, as a proxy does that holds answers back.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
from aiohttp import web

from binder_federation.binder.joining import (
    CHECKS_PATH,
    JOIN_PATH,
    STREAM_TEST_EVENTS,
    STREAM_TEST_PATH,
    STREAM_TEST_PAUSE_SECONDS,
    JoinChecks,
    JoinReply,
    JoinRequest,
)
from binder_federation.binder.messages import Report
from binder_federation.binder.report_tokens import sign_report, sign_request
from tests.support.eventually import eventually
from tests.support.fake_member import FakeMember

AGENT_ID = "an-agents-id-0123456789"


@dataclass
class JoiningMember(FakeMember):
    """It joins with `join`, and reports with `report`."""

    is_buffering: bool = False
    session_status: int = 200
    ended_sessions: int = 0
    generation: int = 0
    sequence: int = 0
    session: str = "first"
    reply: dict[str, Any] = field(default_factory=dict)

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/build/{path:.*}", self._build)
        app.router.add_get("/health", self._health)
        app.router.add_get("/versions", self._versions)
        app.router.add_get(STREAM_TEST_PATH, self._stream_test)
        app.router.add_get("/user/x/api/status", self._status)
        app.router.add_post("/user/x/api/shutdown", self._shutdown)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]

    async def ask_to_join(
        self, client: httpx.AsyncClient, token: str, *, agent_id: str = AGENT_ID, url: str = ""
    ) -> httpx.Response:
        """`POST /api/join`."""
        body = JoinRequest.model_validate(
            {"token": token, "agent_id": agent_id, "url": url or self.url, "stack": "fake"}
        ).to_body()
        return await client.post(JOIN_PATH, content=body)

    async def join(self, client: httpx.AsyncClient, token: str) -> JoinReply:
        """Join, and keep the credential."""
        answer = await self.ask_to_join(client, token)
        assert answer.status_code == 201, f"{self.name} was not taken in: {answer.text}"
        reply = JoinReply.model_validate_json(answer.content)
        self.credential = reply.credential.get_secret_value()
        self.generation = reply.generation
        return reply

    def make_report(self, **changes: Any) -> Report:
        """The next report."""
        self.sequence += 1
        return Report.model_validate(
            {
                "member": self.name,
                "session": self.session,
                "sequence": self.sequence,
                "load": {"capacity": 100},
                "inventory": "whole",
                **changes,
            }
        )

    async def send(
        self, client: httpx.AsyncClient, report: Report, *, to: str = "", bearer: str = ""
    ) -> httpx.Response:
        """Post a report, signed with our credential, under our name or another one."""
        body = report.model_dump_json().encode()
        return await client.post(
            f"/api/members/{to or self.name}/report",
            content=body,
            headers={"Authorization": f"Bearer {bearer or self.sign(report, body)}"},
        )

    def sign(self, report: Report, body: bytes, *, now: float | None = None) -> str:
        return sign_report(
            self.credential,
            member=self.name,
            session=report.session,
            sequence=report.sequence,
            body=body,
            now=now or time.time(),
            generation=self.generation,
        )

    async def report(self, client: httpx.AsyncClient, **changes: Any) -> httpx.Response:
        """Make a report and send it; take a new credential that the answer brings."""
        answer = await self.send(client, self.make_report(**changes))
        self.reply = answer.json()
        if answer.status_code == 200 and (given := self.reply.get("credential")):
            self.credential, self.generation = given["secret"], given["generation"]
        return answer

    async def request(
        self, client: httpx.AsyncClient, method: str, path: str = CHECKS_PATH
    ) -> httpx.Response:
        """A signed request about joining."""
        token = sign_request(
            self.credential,
            member=self.name,
            method=method,
            path=path,
            now=time.time(),
            generation=self.generation,
        )
        return await client.request(method, path, headers={"Authorization": f"Bearer {token}"})

    async def checks(self, client: httpx.AsyncClient) -> JoinChecks:
        """The checklist."""
        answer = await self.request(client, "GET")
        assert answer.status_code == 200, answer.text
        return JoinChecks.model_validate_json(answer.content)

    async def wait_for(self, client: httpx.AsyncClient, state: str) -> JoinChecks:
        """Report until the checklist says `state`."""
        seen = await self.checks(client)

        async def is_so() -> bool:
            nonlocal seen
            await self.report(client)
            seen = await self.checks(client)
            return seen.state == state

        await eventually(is_so, what=f"{self.name} to be {state}", within_seconds=60)
        return seen

    async def _stream_test(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        held = []
        await response.prepare(request)
        for number in range(STREAM_TEST_EVENTS):
            await asyncio.sleep(STREAM_TEST_PAUSE_SECONDS)
            held.append(f"data: {number}\n\n".encode())
            if not self.is_buffering:
                await response.write(held.pop())
        await response.write(b"".join(held))
        return response

    async def _status(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "token secret":
            return web.Response(status=403)
        return web.json_response({}, status=self.session_status)

    async def _shutdown(self, _request: web.Request) -> web.Response:
        self.ended_sessions += 1
        return web.Response(status=200)
