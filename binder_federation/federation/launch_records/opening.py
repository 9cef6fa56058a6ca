"""The launch records that a replica's settings ask for."""

from binder_federation.federation.launch_records.contract import LaunchRecords
from binder_federation.federation.launch_records.memory import MemoryLaunchRecords
from binder_federation.federation.launch_records.redis import RedisLaunchRecords
from binder_federation.federation.shared.context import Shared
from binder_federation.runtime.tasks import BackgroundTasks

TOUCH_EVERY_SECONDS = 5.0


def make_launch_records(shared: Shared, *, tasks: BackgroundTasks) -> LaunchRecords:
    """Records in the Redis that replicas share, or in memory where there is none."""
    if shared.redis is None:
        return MemoryLaunchRecords(replica_id=shared.replica_id)
    records = RedisLaunchRecords(shared.redis, is_alive=shared.presence.is_alive)
    tasks.start(records.run(), name="write-launches")
    tasks.run_periodically(records.touch, every_seconds=TOUCH_EVERY_SECONDS, name="touch-launches")
    return records
