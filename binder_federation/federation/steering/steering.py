"""Changes the steering document and tells those who act by it.

A change is made in the store first and holds here as soon as the store has it. The other
replicas hear of it by the bus, and ask for the revision twice a second anyway. A store that
knows less than this replica has lost what it held: it gets the document back.

Listeners are told of each new document, and of each moment at which time alone changes what
is in force: an order that expires, a ramp that moves.
"""

import asyncio
from collections.abc import Callable

import structlog

from binder_federation.federation.core.steering import changes_by_time, without_expired
from binder_federation.federation.shared.bus import Bus, LocalBus, Topic
from binder_federation.federation.steering.audit import FEDERATION, Actor, AuditEntry
from binder_federation.federation.steering.document import SteeringDocument
from binder_federation.federation.steering.store import SteeringStore, SteeringUnavailable
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

ASK_EVERY_SECONDS = 0.5
LOOK_EVERY_SECONDS = 1.0
MOST_TRIES = 20
"""Others may change the document at the same time; so many in a row do not."""

Clock = Callable[[], float]

Listener = Callable[[SteeringDocument, float], None]
"""Takes the document and the time. It must not block."""

Edit = Callable[[SteeringDocument], SteeringDocument]
"""The next document; it raises a `ServiceError` to refuse. It may be called again."""


class Steering:
    """The live orders of this federation, as this replica knows them."""

    def __init__(
        self,
        *,
        store: SteeringStore,
        clock: Clock,
        bus: Bus | None = None,
        copy: SteeringDocument | None = None,
    ) -> None:
        """`copy` is what this replica knew when it ended."""
        self.current = copy or SteeringDocument()
        self._store = store
        self._clock = clock
        self._bus = bus or LocalBus()
        self._listeners: list[Listener] = []
        self._looked_at = clock()
        self._confirmed_at: float | None = None
        self._news = asyncio.Event()
        self._bus.subscribe(Topic.STEERING, lambda _body: self._news.set())

    def subscribe(self, listener: Listener) -> None:
        """Have `listener` called with each document that comes into force, and when time alone
        changes what one means."""
        self._listeners.append(listener)

    async def change(
        self,
        edit: Edit,
        *,
        actor: Actor,
        action: str,
        subject: str,
        reason: str = "",
        until: float | None = None,
        detail: str = "",
    ) -> SteeringDocument:
        """The document after `edit`, in force here and on its way to the other replicas.

        Raises `SteeringUnavailable` when the store cannot be asked (nothing is changed then),
        and whatever `edit` refuses with.
        """
        for _ in range(MOST_TRIES):
            base = await self._load()
            now = self._clock()
            edited = edit(without_expired(base, now))
            new = edited.model_copy(update={"revision": base.revision + 1})
            entry = AuditEntry(
                at=now,
                by=actor.name,
                action=action,
                subject=subject,
                reason=reason,
                until=until,
                revision=new.revision,
                detail=detail,
            )
            if await self._store.replace(new, expected_revision=base.revision, entry=entry):
                self._tell_of(new, entry)
                return new
        raise SteeringUnavailable("Too many changes are made at once.", advice="Try again.")

    async def audit(self, limit: int = 100) -> list[AuditEntry]:
        """The last changes, the latest first."""
        return await self._store.read_audit(limit)

    def stale_seconds(self) -> float:
        """How long ago the store last said that this document is the one."""
        return self._clock() - (self._confirmed_at or self._looked_at)

    async def start(self, tasks: BackgroundTasks) -> None:
        """Load the document, if the store can be asked, and keep it up to date."""
        await self.refresh()
        self._tell_listeners(self._clock())
        tasks.start(self._follow(), name="follow-steering")
        tasks.run_periodically(self.look, every_seconds=LOOK_EVERY_SECONDS, name="steering-times")

    async def refresh(self) -> None:
        """Take what the store has, or give it back what it lost."""
        try:
            if await self._store.revision() != self.current.revision:
                await self._load()
            self._confirmed_at = self._clock()
        except SteeringUnavailable:
            return  # what is in force stays; the age tells of it

    async def look(self) -> None:
        """Tell the listeners if time has changed what is in force."""
        since, now = self._looked_at, self._clock()
        self._looked_at = now
        if changes_by_time(self.current, since=since, now=now):
            self._tell_listeners(now)

    async def _follow(self) -> None:
        while True:
            try:
                async with asyncio.timeout(ASK_EVERY_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                pass  # nobody told anything: it is the usual time
            self._news.clear()
            await self.refresh()

    async def _load(self) -> SteeringDocument:
        """The store's document, in force here; ours when it is the newer one."""
        found = await self._store.load() or SteeringDocument()
        if found.revision < self.current.revision:
            return await self._give_back(found.revision)
        self._apply(found)
        return found

    async def _give_back(self, revision: int) -> SteeringDocument:
        ours = self.current
        entry = AuditEntry(
            at=self._clock(),
            by=FEDERATION.name,
            action="given_back",
            reason=f"The store had revision {revision} only.",
            revision=ours.revision,
        )
        if await self._store.replace(ours, expected_revision=revision, entry=entry):
            log.warning("steering_given_back", revision=ours.revision, lost_from=revision)
        return ours

    def _tell_of(self, new: SteeringDocument, entry: AuditEntry) -> None:
        log.info("steering_changed", **entry.model_dump(exclude_defaults=True))
        self._apply(new)
        self._bus.publish(Topic.STEERING, str(new.revision).encode())

    def _apply(self, document: SteeringDocument) -> None:
        if document.revision < self.current.revision or document == self.current:
            return
        self.current = document
        self._tell_listeners(self._clock())

    def _tell_listeners(self, now: float) -> None:
        for listener in self._listeners:
            listener(self.current, now)
