"""Becomes a member while the agent serves, and tells how far that is.

Each pass takes what is kept (a command may have changed it), exchanges an invitation that was not
used yet, and asks for the checklist until the member is admitted. A pass that fails is followed by
the next one; changes are logged, not every pass.
"""

import asyncio
import random
import time
from collections.abc import Callable

import structlog

from binder_federation.binder.joining import JoinCheck, JoinChecks, JoinState
from binder_federation.cluster_agent.membership.exchange import exchange, new_invitation
from binder_federation.cluster_agent.membership.federation_api import (
    FederationApi,
    FederationRefused,
)
from binder_federation.cluster_agent.membership.identity import Identity
from binder_federation.cluster_agent.membership.keeper import MembershipKeeper
from binder_federation.config.agent import AgentSettings
from binder_federation.health.checks import Outcome
from binder_federation.runtime.errors import ServiceError

log = structlog.get_logger(__name__)

CHECK_SECONDS = 3.0
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 60.0


class Joiner:
    """The loop of one agent. `make_api` makes the client of the federation at a URL."""

    def __init__(
        self,
        *,
        settings: AgentSettings,
        identity: Identity,
        keeper: MembershipKeeper,
        make_api: Callable[[str], FederationApi],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._identity = identity
        self._keeper = keeper
        self._make_api = make_api
        self._clock = clock
        self._trouble = ""
        self._state: JoinState | None = None
        self._told: dict[str, JoinCheck] = {}
        self._pause = FIRST_PAUSE_SECONDS
        self._not_before = 0.0
        identity.on_change(self._begin_anew)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                await self.pass_once()
            except ServiceError as error:
                self._note(error)
            except Exception:
                log.exception("joining_crashed")
            seconds = min(self._keeper.poll_seconds, CHECK_SECONDS)
            if self._state is JoinState.ADMITTED or not self._identity.is_known:
                seconds = self._keeper.poll_seconds
            await asyncio.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load

    async def pass_once(self) -> None:
        """One pass; raises what stands in the way."""
        await self._keeper.refresh()
        if self._clock() >= self._not_before:
            await self._exchange()
        if self._identity.is_known and self._state is not JoinState.ADMITTED:
            await self._ask_for_checks()

    async def outcome(self) -> Outcome:
        """For `/health`: whether there is a membership. One that is not admitted yet is well."""
        if self._identity.is_known:
            state = f"The federation's checks: {self._state}." if self._state else ""
            return {"ok": True, "message": self._trouble or state}
        message = self._trouble or "This agent is no member of a federation yet."
        return {"ok": False, "message": message}

    async def _exchange(self) -> None:
        token = new_invitation(self._settings, self._keeper)
        url = self._settings.join.url
        if not token or url is None:
            return
        self._not_before = self._clock() + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS)
        try:
            await exchange(
                token, settings=self._settings, api=self._make_api(url), keeper=self._keeper
            )
        except FederationRefused as error:
            self._pause = LONGEST_PAUSE_SECONDS  # an invitation that is refused gets no better
            if not self._identity.is_known:
                raise
            self._note(error)
            return
        self._note(None)

    async def _ask_for_checks(self) -> None:
        api = self._make_api(self._identity.federation_url or "")
        checks = await api.checks(self._identity)
        self._note(None)
        self._tell(checks)

    def _tell(self, checks: JoinChecks) -> None:
        """Log what is new."""
        for check in checks.checks:
            if check == self._told.get(check.name) or check.ok is None:
                continue
            self._told[check.name] = check
            tell = log.info if check.ok else log.warning
            tell(
                "joining_check",
                check=check.name,
                ok=check.ok,
                message=check.message,
                advice=check.advice,
            )
        if checks.state is not self._state:
            self._state = checks.state
            log.info("joining_state", state=checks.state.value, name=self._identity.name)

    def _begin_anew(self) -> None:
        self._state = None
        self._told.clear()

    def _note(self, error: ServiceError | None) -> None:
        """Log a change, not every failure."""
        trouble = " ".join(filter(None, (error.message, error.advice))) if error else ""
        if trouble and trouble != self._trouble:
            log.warning("not_joined", reason=trouble)
        self._trouble = trouble
