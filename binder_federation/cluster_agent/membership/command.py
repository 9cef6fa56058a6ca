"""Joining and leaving as a person at a terminal does it: `cli_join.py` reads the arguments.

`join` may be run again at any time: what is done already is not done twice, and the checklist is
shown. It exits with 0 once the federation has admitted the member.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from binder_federation import __version__
from binder_federation.binder.joining import JoinChecks, JoinState
from binder_federation.cluster_agent.membership import preflight
from binder_federation.cluster_agent.membership.exchange import (
    agent_url,
    exchange,
    new_invitation,
)
from binder_federation.cluster_agent.membership.federation_api import FederationApi
from binder_federation.cluster_agent.membership.identity import Identity
from binder_federation.cluster_agent.membership.keeper import MembershipKeeper
from binder_federation.cluster_agent.membership.stores.choose import open_store
from binder_federation.cluster_agent.membership.telling import Teller
from binder_federation.config.agent import AgentSettings
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.tls import known_authorities

ASK_EVERY_SECONDS = 1.0
REPORT_SECONDS = 15.0
"""An agent that serves has reported after so long."""


class NotJoined(ServiceError):
    """There is no membership."""

    code = "not_joined"


@dataclass(frozen=True, slots=True)
class Desk:
    """What joining and leaving work with."""

    settings: AgentSettings
    client: httpx.AsyncClient
    identity: Identity
    keeper: MembershipKeeper

    @property
    def api(self) -> FederationApi:
        """The federation, of the membership or of the settings."""
        url = self.identity.federation_url
        if url is None:
            raise NotJoined(
                "It is not known which federation to ask.",
                advice="Give its address: binderfed-agent join URL TOKEN.",
            )
        return FederationApi(client=self.client, url=url)


@asynccontextmanager
async def open_desk(settings: AgentSettings) -> AsyncIterator[Desk]:
    """With the membership as it is kept."""
    store = await open_store(settings)
    try:
        identity = Identity(
            name=settings.name, federation_url=settings.join.url or settings.federation_url
        )
        keeper = MembershipKeeper(
            store=store,
            identity=identity,
            federation_url=settings.join.url,
            takes_name="name" not in settings.model_fields_set,
        )
        await keeper.refresh()
        headers = {"User-Agent": f"binder-federation/{__version__}"}
        async with httpx.AsyncClient(headers=headers, verify=known_authorities()) as client:
            yield Desk(settings, client, identity, keeper)
    finally:
        await store.aclose()


async def join(settings: AgentSettings, *, teller: Teller, wait_seconds: float) -> bool:
    """Join, if that is not done yet, and wait for the federation's verdict; whether admitted."""
    if not await enter(settings, teller=teller):
        return False
    return await follow(settings, teller=teller, wait_seconds=wait_seconds)


async def enter(settings: AgentSettings, *, teller: Teller) -> bool:
    """Exchange the invitation, if it was not used yet; whether there is a membership."""
    async with open_desk(settings) as desk:
        if token := new_invitation(settings, desk.keeper):
            seen = await preflight.examine(
                settings, federation_url=desk.api.url, client=desk.client
            )
            teller.tell_all("Seen from here", seen)
            if preflight.has_failed(seen):
                teller.say("The invitation was not used. Mend this and run the command again.")
                return False
            await exchange(token, settings=settings, api=desk.api, keeper=desk.keeper)
            teller.say(f"This agent is the member {desk.identity.name} of {desk.api.url}.")
        if not desk.identity.is_known:
            raise NotJoined(
                "There is no membership, and no invitation that was not used yet.",
                advice="Ask the federation's operator for one.",
            )
        return True


async def follow(settings: AgentSettings, *, teller: Teller, wait_seconds: float) -> bool:
    """Wait for the verdict, at most so long, and tell it; whether the member is admitted."""
    async with open_desk(settings) as desk:
        return await _follow(desk, teller, wait_seconds)


async def _follow(desk: Desk, teller: Teller, wait_seconds: float) -> bool:
    """Ask for the checklist until it is decided or `wait_seconds` are over."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    checks = await desk.api.checks(desk.identity)
    if checks.state is JoinState.FAILED:
        checks = await desk.api.check_again(desk.identity)
    has_hinted = False
    while not _is_decided(checks) and loop.time() - begun < wait_seconds:
        if checks.state is JoinState.WAITING and loop.time() - begun > REPORT_SECONDS:
            if not has_hinted:
                teller.say(
                    f"The federation waits for this agent's first report. Does it serve? "
                    f"binderfed-agent serve, with the same settings, at {agent_url(desk.settings)}."
                )
            has_hinted = True
        await asyncio.sleep(ASK_EVERY_SECONDS)
        checks = await desk.api.checks(desk.identity)
    teller.tell_all("Seen by the federation", checks.checks)
    teller.tell_state(desk.identity.name, checks)
    return checks.state is JoinState.ADMITTED


def _is_decided(checks: JoinChecks) -> bool:
    return checks.state in (JoinState.ADMITTED, JoinState.FAILED)


async def examine(settings: AgentSettings, *, teller: Teller) -> bool:
    """What can be seen from here, and what the federation said last; whether all is well."""
    async with open_desk(settings) as desk:
        seen = await preflight.examine(settings, federation_url=desk.api.url, client=desk.client)
        teller.tell_all("Seen from here", seen)
        if not desk.identity.is_known:
            return not preflight.has_failed(seen)
        checks = await desk.api.checks(desk.identity)
        teller.tell_all("Seen by the federation", checks.checks)
        teller.tell_state(desk.identity.name, checks)
        return checks.state is JoinState.ADMITTED and not preflight.has_failed(seen)


async def leave(settings: AgentSettings, *, teller: Teller, wait_seconds: float) -> bool:
    """Drain, wait until no session is left, tell the federation, forget; whether it came so far."""
    async with open_desk(settings) as desk:
        if not desk.identity.is_known:
            raise NotJoined("This agent is no member of a federation.")
        left = await _drain(desk, teller, wait_seconds)
        if left:
            teller.say(f"{left} sessions still run; run the command again later, or with --now.")
            return False
        await desk.api.leave(desk.identity)
        await _end_drain(desk)  # a later invitation begins without it
        await desk.keeper.forget()
        teller.say(f"{desk.identity.name} has left {desk.api.url}.")
        return True


async def _drain(desk: Desk, teller: Teller, wait_seconds: float) -> int:
    """How many sessions are left after `wait_seconds`; 0 when the agent does not serve."""
    headers = {"Authorization": f"Bearer {desk.identity.accepted[0]}"}
    url = f"{own_url(desk.settings)}/api/drain"
    try:
        answer = await desk.client.put(url, headers=headers, json={"reason": "leaves"})
        answer.raise_for_status()
        until = asyncio.get_running_loop().time() + wait_seconds
        teller.say(f"It takes no launches any more; {answer.json()['sessions']} sessions run.")
        while answer.json()["sessions"] and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(ASK_EVERY_SECONDS)
            answer = await desk.client.get(url, headers=headers)
        return int(answer.json()["sessions"]) if wait_seconds else 0
    except httpx.HTTPError:
        teller.say("The agent does not serve; nothing to wait for.")
        return 0


async def _end_drain(desk: Desk) -> None:
    headers = {"Authorization": f"Bearer {desk.identity.accepted[0]}"}
    with contextlib.suppress(httpx.HTTPError):
        await desk.client.delete(f"{own_url(desk.settings)}/api/drain", headers=headers)


def own_url(settings: AgentSettings) -> str:
    """Where this machine reaches the agent."""
    alone = settings.join.model_copy(update={"agent_url": None})
    return agent_url(settings.model_copy(update={"join": alone}))
