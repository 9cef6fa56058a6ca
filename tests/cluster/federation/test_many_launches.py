"""Twenty launches of five repositories at once, on members with two build slots each."""

import asyncio
from collections import Counter

import pytest

from binder_federation.binder.events import Phase
from tests.cluster.federation.conftest import Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

SLOTS = 2
SLOW = "RUN sleep 4\n"


async def test_builds_keep_to_their_slots_and_no_repository_starves(site: Site) -> None:
    await site.both_up()
    paths = [site.repository(f"many-{number}", more=SLOW) for number in range(5)]
    most: Counter[str] = Counter()
    are_done = asyncio.Event()

    async def count_builds() -> None:
        while not are_done.is_set():
            for name, member in site.members.items():
                pods = await member.pods("build")
                active = [pod for pod in pods if pod["status"]["phase"] in ("Pending", "Running")]
                most[name] = max(most[name], len(active))

    async with asyncio.TaskGroup() as group:
        group.create_task(count_builds())
        # As a class does: four of each, the first repository's first.
        seen = await asyncio.gather(
            *(site.federation.launch(path, seconds=420) for path in paths for _ in range(4))
        )
        are_done.set()

    ended = [one.last for one in seen]
    assert [event.phase for event in ended] == [Phase.READY] * 20, [
        event.message for event in ended if event.phase is not Phase.READY
    ]
    assert len({event.fields["url"] for event in ended}) == 20
    assert max(most.values()) <= SLOTS, f"builds at once: {dict(most)}"
    assert sum(most.values()) >= 1, "the count saw no build at all"
