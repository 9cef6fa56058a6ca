"""The parts of a membership put together, for an agent that serves."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from binder_federation.cluster_agent.membership.federation_api import FederationApi
from binder_federation.cluster_agent.membership.identity import Identity
from binder_federation.cluster_agent.membership.joiner import Joiner
from binder_federation.cluster_agent.membership.keeper import MembershipKeeper
from binder_federation.cluster_agent.membership.stores.choose import open_store
from binder_federation.config.agent import AgentSettings


@dataclass(frozen=True, slots=True)
class Membership:
    """Who the agent is; and for one that joins by invitation, what keeps that up to date."""

    identity: Identity
    keeper: MembershipKeeper | None = None
    joiner: Joiner | None = None

    async def renew(self, credential: str, generation: int) -> None:
        """The federation gave the next credential; one from the settings is changed there."""
        if self.keeper is not None:
            await self.keeper.renew(credential, generation)


@asynccontextmanager
async def open_membership(
    settings: AgentSettings, client: httpx.AsyncClient
) -> AsyncIterator[Membership]:
    """Raises `WrongMember`, and what the store raises, when what is kept cannot be used."""
    identity = Identity.from_settings(settings)
    if settings.credential is not None:
        yield Membership(identity)
        return
    keeper = MembershipKeeper(
        store=await open_store(settings), identity=identity, federation_url=settings.join.url
    )
    try:
        await keeper.refresh()
        joiner = Joiner(
            settings=settings,
            identity=identity,
            keeper=keeper,
            make_api=lambda url: FederationApi(client=client, url=url),
        )
        yield Membership(identity, keeper, joiner)
    finally:
        await keeper.aclose()
