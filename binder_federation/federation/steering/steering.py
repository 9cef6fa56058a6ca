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
from binder_federation.runtime.errors import ServiceError
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
        self._confirmed_at = clock()
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
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
        entry = AuditEntry(
            at=self._clock(),
            by=actor.name,
            action=action,
            subject=subject,
            reason=reason,
            until=until,
            detail=detail,
        )
        async with self._turn:  # replicas are in each other's way, our own changes need not be
            for _ in range(MOST_TRIES):
                new = await self._try(edit, entry)
                if new is not None:
                    return new
        raise SteeringUnavailable("Too many changes are made at once.", advice="Try again.")

    async def _try(self, edit: Edit, entry: AuditEntry) -> SteeringDocument | None:
        """The document after `edit`; None when another replica changed it meanwhile."""
        base = await self._load()
        revision = base.revision + 1
        edited = edit(without_expired(base, self._clock()))
        new = edited.model_copy(update={"revision": revision})
        entry = entry.model_copy(update={"revision": revision})
        if not await self._store.replace(new, expected_revision=base.revision, entry=entry):
            return None
        self._tell_of(new, entry)
        return new

    async def note_refusal(
        self,
        *,
        actor: Actor,
        action: str,
        subject: str,
        reason: str = "",
        until: float | None = None,
        detail: str = "",
    ) -> None:
        """Keep in the audit that `actor` asked for something and was refused; nothing changes.

        Raises `SteeringUnavailable`.
        """
        for _ in range(MOST_TRIES):
            base = await self._load()
            entry = AuditEntry(
                at=self._clock(),
                by=actor.name,
                action=action,
                subject=subject,
                reason=reason,
                until=until,
                revision=base.revision,
                detail=detail,
            )
            # The same document once more: an entry is never kept without one.
            if await self._store.replace(base, expected_revision=base.revision, entry=entry):
                log.warning("steering_refused", **entry.model_dump(exclude_defaults=True))
                return
        raise SteeringUnavailable("Too many changes are made at once.", advice="Try again.")

    async def audit(self, limit: int = 100) -> list[AuditEntry]:
        """The last changes, the latest first."""
        return await self._store.read_audit(limit)

    def stale_seconds(self) -> float:
        """How long ago the store last said that this document is the one."""
        return self._clock() - self._confirmed_at

    async def start(self, tasks: BackgroundTasks) -> None:
        """Load the document, if the store can be asked, and keep it up to date."""
        if not await self.refresh():
            log.warning("steering_not_loaded", revision=self.current.revision)
        self._tell_listeners(self._clock())
        tasks.start(self._follow(), name="follow-steering")
        tasks.run_periodically(self.look, every_seconds=LOOK_EVERY_SECONDS, name="steering-times")

    async def refresh(self) -> bool:
        """Take what the store has, or give it back what it lost; whether it could be asked."""
        try:
            if await self._store.revision() != self.current.revision:
                await self._load()
            self._confirmed_at = self._clock()
        except ServiceError as error:  # what is in force stays; the age tells of it
            log.debug("steering_not_asked", reason=error.code)
            return False
        return True

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
            try:
                listener(self.current, now)
            except Exception:
                # The change is made: the others hear of it, and who made it made no mistake.
                log.exception("steering_listener_failed", listener=repr(listener))
