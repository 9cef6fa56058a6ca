"""Tells the federation how this member is: load, images, checks, estimates.

Pushed every few seconds, and at once after the images or the warm servers changed
(several changes make one report). The whole inventory goes first and whenever the federation asks
for it, after that only what changed since the last report it took. The loop is
the retry: a report that fails is followed by the next one.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from heapq import nlargest

import httpx
import structlog
from pydantic import ValidationError

from binder_federation.binder.messages import (
    MOST_CHECKS,
    MOST_IMAGES,
    CheckRecord,
    EstimateRecord,
    ImageRecord,
    LoadRecord,
    Report,
    ReportReply,
    WarmRecord,
)
from binder_federation.binder.report_tokens import sign_report
from binder_federation.cluster_agent.core.inventory import find_changes
from binder_federation.cluster_agent.inventory import Inventory
from binder_federation.cluster_agent.membership.identity import Identity
from binder_federation.cluster_agent.metrics import AgentMetrics
from binder_federation.cluster_agent.policy import HeldPolicy
from binder_federation.config.agent import AgentSettings
from binder_federation.runtime.bounded import clean_line, read_json

log = structlog.get_logger(__name__)

TIMEOUT_SECONDS = 10.0
COALESCE_SECONDS = 0.1
JITTER = 0.2


class Reporter:
    """Sends the reports of one agent."""

    def __init__(
        self,
        *,
        client: httpx.AsyncClient,
        settings: AgentSettings,
        identity: Identity,
        renew: Callable[[str, int], Awaitable[None]],
        inventory: Inventory,
        load: Callable[[], LoadRecord],
        warm: Callable[[], tuple[WarmRecord, ...]],
        checks: Callable[[], Awaitable[tuple[CheckRecord, ...]]],
        estimates: Callable[[], EstimateRecord],
        is_draining: Callable[[], bool],
        repositories: Callable[[], dict[str, int]],
        policy: HeldPolicy,
        metrics: AgentMetrics,
    ) -> None:
        self._client = client
        self._settings = settings
        self._identity = identity
        self._renew = renew
        self._inventory = inventory
        self._load = load
        self._warm = warm
        self._checks = checks
        self._estimates = estimates
        self._is_draining = is_draining
        self._repositories = repositories
        self._policy = policy
        self._turn = 0
        """Which of the identity's keys signs; another one after each refusal."""
        identity.on_change(self._begin_anew)
        self._metrics = metrics
        self._session = secrets.token_hex(8)
        self._sequence = 0
        self._accepted: dict[str, ImageRecord] | None = None
        self._wake = asyncio.Event()
        self._trouble = ""

    def report_soon(self) -> None:
        """Something changed that the federation wants to know at once."""
        self._wake.set()

    def _begin_anew(self) -> None:
        self._turn = 0
        self._accepted = None  # another federation knows none of the images
        self.report_soon()

    async def run(self) -> None:
        """Report for ever."""
        while True:
            try:
                await self._report()
            except Exception:
                log.exception("report_crashed")
            await self._pause()

    async def _pause(self) -> None:
        base = self._settings.report_every_seconds
        seconds = base * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
                await asyncio.sleep(COALESCE_SECONDS)
        except TimeoutError:
            pass
        self._wake.clear()

    async def _report(self) -> None:
        if not self._identity.is_known or self._identity.federation_url is None:
            return  # no member yet
        images = _reported(self._inventory.records)
        report = await self._make(images)
        reply = await self._post(report)
        if reply is None:
            return
        if reply.policy is not None:
            self._policy.take(reply.policy)
        if reply.credential is not None:
            given = reply.credential
            await self._renew(given.secret.get_secret_value(), given.generation)
        if not reply.send_whole_inventory:
            self._accepted = images
            return
        self._accepted = None
        if report.inventory == "changes":
            self.report_soon()

    async def _make(self, images: dict[str, ImageRecord]) -> Report:
        self._sequence += 1
        changes = find_changes(self._accepted or {}, images.values())
        is_whole = self._accepted is None
        return Report(
            member=self._identity.name,
            session=self._session,
            sequence=self._sequence,
            load=self._load(),
            warm=self._warm(),
            estimates=self._estimates(),
            checks=(await self._checks())[:MOST_CHECKS],
            draining=self._is_draining(),
            repositories=self._repositories(),
            policy_digest=self._policy.digest,
            inventory="whole" if is_whole else "changes",
            images=changes.images,
            removed=() if is_whole else changes.removed,
        )

    async def _post(self, report: Report) -> ReportReply | None:
        url = f"{self._identity.federation_url}/api/members/{self._identity.name}/report"
        body = report.model_dump_json().encode()
        try:
            response = await self._client.post(
                url,
                content=body,
                headers={
                    "Authorization": f"Bearer {self._sign(report, body)}",
                    "Content-Type": "application/json",
                },
                timeout=TIMEOUT_SECONDS,
            )
            if response.status_code == 403:
                self._turn += 1  # the federation may not know the new one yet
            if response.status_code != 200:
                self._note(f"status_{response.status_code}", _sentence(response))
                return None
            reply = ReportReply.model_validate_json(response.content)
        except httpx.TimeoutException:
            self._note("timeout")
        except httpx.HTTPError:
            self._note("unreachable")
        except ValidationError:
            self._note("malformed")
        else:
            self._note("")
            return reply
        return None

    def _sign(self, report: Report, body: bytes) -> str:
        keys = self._identity.signing_keys
        key = keys[self._turn % len(keys)]
        return sign_report(
            key.credential,
            member=report.member,
            session=report.session,
            sequence=report.sequence,
            body=body,
            now=time.time(),
            generation=key.generation,
        )

    def _note(self, trouble: str, why: str = "") -> None:
        """Log a change of state, not every failure. `why`: the federation's own words."""
        if trouble:
            self._metrics.report_failures.labels(trouble).inc()
        if trouble == self._trouble:
            return
        if trouble:
            url = self._identity.federation_url
            log.warning("reports_not_taken", reason=trouble, why=why, url=url)
        else:
            log.info("reports_taken_again")
        self._trouble = trouble


def _reported(records: Mapping[str, ImageRecord]) -> dict[str, ImageRecord]:
    """All images or, of more than a report takes, those that were used last."""
    if len(records) <= MOST_IMAGES:
        return dict(records)
    latest = nlargest(MOST_IMAGES, records.values(), key=lambda record: record.last_used)
    return {record.key: record for record in latest}


def _sentence(response: httpx.Response) -> str:
    """What the federation says is wrong with a report."""
    try:
        message = read_json(response.content[:10_000])["message"]
    except (ValueError, KeyError, TypeError):
        return ""
    return clean_line(message, 500) if isinstance(message, str) else ""
