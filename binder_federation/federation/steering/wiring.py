"""The steering of one replica, made once and connected."""

import structlog

from binder_federation.config.steering import SteeringSettings
from binder_federation.federation.shared.bus import Bus
from binder_federation.federation.shared.connection import RedisConnection
from binder_federation.federation.steering.document import SteeringDocument
from binder_federation.federation.steering.steering import Clock, Steering
from binder_federation.federation.steering.store import SteeringUnavailable
from binder_federation.federation.steering.stores.file import FileSteeringStore
from binder_federation.federation.steering.stores.memory import MemorySteeringStore
from binder_federation.federation.steering.stores.redis import RedisSteeringStore
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)


async def make_steering(
    settings: SteeringSettings,
    *,
    redis: RedisConnection | None,
    bus: Bus,
    clock: Clock,
    tasks: BackgroundTasks,
) -> Steering:
    """The steering that the settings ask for: in Redis, in a file, or in memory alone.

    Raises `ConfigurationError` when the file is there and cannot be read.
    """
    file = FileSteeringStore(settings.file) if settings.file else None
    kept = await file.load() if file else None
    if redis is None:
        return Steering(store=file or MemorySteeringStore(), clock=clock, bus=bus)
    steering = Steering(store=RedisSteeringStore(redis), clock=clock, bus=bus, copy=kept)
    if file is not None:
        steering.subscribe(_Copy(file, tasks).keep)
    return steering


class _Copy:
    """This replica's own copy of what is in Redis."""

    def __init__(self, file: FileSteeringStore, tasks: BackgroundTasks) -> None:
        self._file = file
        self._tasks = tasks
        self._newest: SteeringDocument | None = None
        self._is_writing = False

    def keep(self, document: SteeringDocument, _now: float) -> None:
        """Write it soon, unless it is what was written last."""
        if document is self._newest or document.revision == 0:
            return
        self._newest = document
        if not self._is_writing:
            self._is_writing = True
            self._tasks.start(self._write(), name="copy-steering")

    async def _write(self) -> None:
        written: SteeringDocument | None = None
        try:
            while written is not self._newest and self._newest is not None:
                written = self._newest
                await self._file.keep(written)
        except SteeringUnavailable:
            log.exception("steering_copy_failed")  # the next change is written again
        finally:
            self._is_writing = False
