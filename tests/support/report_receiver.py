"""A real server that takes members' reports, as the federation does, and keeps them."""

import asyncio
from typing import Self

from aiohttp import web

from binder_federation.binder.messages import MemberPolicy, Report, ReportReply


class ReportReceiver:
    """`async with ReportReceiver() as receiver`; `reports` is what came."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.authorizations: set[str] = set()
        self.asks_for_whole = False
        self.policy: MemberPolicy | None = None
        """Sent with the answer to a report whose digest is another one."""
        self.status = 200
        self.refused = 0
        self.url = ""
        self._arrived = asyncio.Condition()

    async def report(self, sequence: int) -> Report:
        """The first one whose number is at least `sequence`, once it has come."""
        async with asyncio.timeout(30), self._arrived:
            await self._arrived.wait_for(lambda: self._since(sequence))
        return self._since(sequence)[0]

    async def next_report(self) -> Report:
        """The first one that comes from now on."""
        return await self.report(self.reports[-1].sequence + 1 if self.reports else 1)

    def _since(self, sequence: int) -> list[Report]:
        return [report for report in self.reports if report.sequence >= sequence]

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=16 << 20)
        app.router.add_post("/api/members/alpha/report", self._take)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        if self.status != 200:
            self.refused += 1
            return web.json_response({"message": "no"}, status=self.status)
        self.authorizations.add(request.headers["Authorization"])
        self.reports.append(Report.model_validate_json(await request.read()))
        async with self._arrived:
            self._arrived.notify_all()
        is_known = self.policy and self.policy.digest == self.reports[-1].policy_digest
        policy = None if is_known else self.policy
        reply = ReportReply(send_whole_inventory=self.asks_for_whole, policy=policy)
        self.asks_for_whole = False
        return web.json_response(reply.model_dump())
