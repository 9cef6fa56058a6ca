"""The lower bound: no policy can do better, in any launch.

Each image is built, pushed and pulled once, from its first request on; whoever comes
earlier than the end of that waits for it. There is no capacity, no further pull, and every
server starts as on an idle member. A build is a quicker rebuild whenever any member could
have had the repository.
"""

from array import array

from binder_federation.federation.simulation.settings import DAY_SECONDS
from binder_federation.federation.simulation.world import World

SLACK_SECONDS = 0.5 * DAY_SECONDS
"""A build that counts as recent may have ended so long after its own first launch."""


def bound_waits(world: World) -> "array[float]":
    """Of each launch: the seconds it must wait for its image, whatever is decided."""
    settings = world.settings
    memory_seconds = settings.rebuild_memory_days * DAY_SECONDS + SLACK_SECONDS
    built_at: dict[int, float] = {}
    launched_at: dict[int, float] = {}
    waits = array("d", bytes(8 * len(world)))
    for number, (now, image_id) in enumerate(zip(world.at, world.image, strict=True)):
        image = world.images[image_id]
        done_at = built_at.get(image_id)
        if done_at is None:
            before = launched_at.get(image.repository)
            is_rebuild = before is not None and now - before <= memory_seconds
            seconds = image.build_seconds + 2 * image.transfer_seconds  # pushed, then pulled
            done_at = now + seconds * (settings.rebuild_factor if is_rebuild else 1.0)
            built_at[image_id] = done_at
        launched_at[image.repository] = now
        if done_at > now:
            waits[number] = done_at - now
    return waits
