"""Keeps the record and the identity in step: what is stored first is then used, never before.

A new credential is on the disk before the first report is signed with it; an agent that ends in
between still has the old one, which the federation takes until it has seen the new.
"""

import time
from collections.abc import Callable

import structlog

from binder_federation.binder.joining import JoinReply
from binder_federation.cluster_agent.membership.identity import Identity
from binder_federation.cluster_agent.membership.record import Membership, MembershipRecord
from binder_federation.cluster_agent.membership.stores.contract import MembershipStore
from binder_federation.runtime.errors import Fault, ServiceError

log = structlog.get_logger(__name__)


class WrongMember(ServiceError):
    """The invitation is for a member of another name than the settings'."""

    code = "wrong_member"
    fault = Fault.MEMBER


class MembershipKeeper:
    """Of one agent that joins by invitation. `federation_url` goes over the one that is kept.

    `takes_name`: the settings name no member, so the invitation's name is right."""

    def __init__(
        self,
        *,
        store: MembershipStore,
        identity: Identity,
        federation_url: str | None = None,
        takes_name: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._identity = identity
        self._federation_url = federation_url
        self._takes_name = takes_name
        self._clock = clock
        self._record = MembershipRecord.new()

    @property
    def record(self) -> MembershipRecord:
        """As last read or written."""
        return self._record

    @property
    def poll_seconds(self) -> float:
        """How often `refresh` is worth while."""
        return self._store.poll_seconds

    async def refresh(self) -> None:
        """Take what is kept; a command beside this process may have changed it.

        Raises `WrongMember`, and what the store raises."""
        kept = await self._store.load()
        if kept is None:
            kept = self._record.model_copy(update={"membership": None})
        if kept != self._record:
            self._check_name(kept.membership)
            self._use(kept)

    async def prepare(self) -> None:
        """Have the agent's id kept before it is first told to anybody."""
        if await self._store.load() is None:
            await self._store.save(self._record)

    async def keep(self, reply: JoinReply, *, invitation: str, federation_url: str) -> None:
        """The federation took us in. Raises `WrongMember`; then it is kept, but not used."""
        membership = Membership(
            name=reply.name,
            federation_url=federation_url,
            credential=reply.credential,
            generation=reply.generation,
        )
        record = self._record.model_copy(
            update={"invitation": invitation, "membership": membership}
        )
        await self._store.save(record)
        self._check_name(membership)
        self._use(record)
        log.info("joined", name=reply.name, federation=federation_url)

    async def renew(self, credential: str, generation: int) -> None:
        """The federation gave the next credential."""
        now = self._record.membership
        if now is None or now.credential.get_secret_value() == credential:
            return
        membership = now.renewed(credential, generation=generation, now=self._clock())
        record = self._record.model_copy(update={"membership": membership})
        await self._store.save(record)
        self._use(record)
        log.info("credential_renewed", name=membership.name, generation=membership.generation)

    async def forget(self) -> None:
        """No member any more. The used invitation stays noted, so that it is not tried again."""
        record = self._record.model_copy(update={"membership": None})
        await self._store.save(record)
        self._use(record)

    async def aclose(self) -> None:
        """Close the store."""
        await self._store.aclose()

    def _use(self, record: MembershipRecord) -> None:
        self._record = record
        self._identity.take(record.membership, federation_url=self._federation_url)

    def _check_name(self, membership: Membership | None) -> None:
        if membership is None:
            return
        if self._takes_name:
            self._identity.name = membership.name
        elif membership.name != self._identity.name:
            raise WrongMember(
                f"The invitation is for {membership.name}; this agent is called "
                f"{self._identity.name}.",
                advice=f"Set name: {membership.name} in the agent's settings.",
            )
