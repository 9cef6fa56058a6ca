"""Replicas on one Redis: what one learns the others know, and none waits for it."""

from collections.abc import AsyncIterator

import pytest

from binder_federation.binder.messages import ImageRecord, Tier
from binder_federation.binder.spec import ImageKey
from binder_federation.config.federation import RedisSettings
from binder_federation.federation.shared.bus import Topic
from binder_federation.federation.shared.context import Shared
from tests.support.eventually import eventually
from tests.support.redis_fixtures import NOW, fresh, open_replica, settle, store_of
from tests.support.redis_servers import RedisServer

REPOSITORY = "gh/owner/repository"


@pytest.fixture
def redis(redis_server: RedisServer) -> RedisSettings:
    return fresh(redis_server)


@pytest.fixture
async def one(redis: RedisSettings) -> AsyncIterator[Shared]:
    async with open_replica(redis) as shared:
        yield shared


@pytest.fixture
async def other(redis: RedisSettings, one: Shared) -> AsyncIterator[Shared]:
    async with open_replica(redis) as shared:
        yield shared


def key(number: int) -> ImageKey:
    return ImageKey(f"{number:032x}")


def record(number: int, tier: Tier = Tier.NODE) -> ImageRecord:
    return ImageRecord(key=key(number), repository=REPOSITORY, tier=tier, size_bytes=1_000_000)


async def holders(shared: Shared, number: int) -> set[str]:
    facts = await shared.store.facts(key(number), REPOSITORY, now=NOW)
    return set(facts.holders)


async def eventually_held(shared: Shared, number: int, members: set[str]) -> None:
    async def is_held() -> bool:
        return await holders(shared, number) == members

    await eventually(is_held, what=f"a replica to know that {members} hold image {number}")


async def test_what_one_replica_learns_the_other_hears(one: Shared, other: Shared) -> None:
    await one.store.replace_inventory("alpha", [record(1), record(2)], now=NOW)
    await one.store.note_image("beta", record(2), now=NOW)

    async def is_mirrored() -> bool:
        return store_of(other).mirror.images.value_count == 3

    await eventually(is_mirrored, what="three facts to reach the other replica's mirror")
    assert await holders(other, 2) == {"alpha", "beta"}
    facts = await other.store.facts(key(1), REPOSITORY, now=NOW)
    assert facts.built_repository_recently == {"alpha", "beta"}


async def test_what_is_gone_is_gone_everywhere(one: Shared, other: Shared) -> None:
    await one.store.replace_inventory("alpha", [record(1), record(2)], now=NOW)
    await eventually_held(other, 2, {"alpha"})
    await other.store.replace_inventory("alpha", [record(1)], now=NOW)
    await eventually_held(one, 2, set())
    await other.store.forget_member("alpha")
    await eventually_held(one, 1, set())
    facts = await one.store.facts(key(1), REPOSITORY, now=NOW)
    assert facts.built_repository_recently == frozenset(), "a forgotten member has built nothing"


async def test_a_replica_that_starts_reads_all_facts(redis: RedisSettings, one: Shared) -> None:
    records = [record(number << 104 | number) for number in range(1, 600)]
    await one.store.replace_inventory("alpha", records, now=NOW)
    await one.store.take_lease(key(5), "beta", now=NOW)
    await settle(one)
    async with open_replica(redis) as late:
        await settle(late)
        assert store_of(late).mirror.image_count("alpha") == 599
        facts = await late.store.facts(key(5), REPOSITORY, now=NOW)
        assert facts.building_since == {"beta": NOW}


async def test_an_image_that_the_mirror_lacks_is_read_at_once(one: Shared, other: Shared) -> None:
    await settle(other)
    await one.store.note_image("alpha", record(1), now=NOW)
    await settle(one)
    store_of(other).mirror.drop(bytes.fromhex(key(1)), "alpha")
    assert await holders(other, 1) == {"alpha"}, "one read should have found the image in Redis"


async def test_what_is_gone_is_not_read_back(one: Shared) -> None:
    await one.store.note_image("alpha", record(1), now=NOW)
    await settle(one)
    await one.store.forget_image("alpha", key(1))
    assert await holders(one, 1) == set(), "Redis has not heard yet that the image is gone"


async def test_two_replicas_agree_who_builds(one: Shared, other: Shared) -> None:
    first = await one.store.take_lease(key(1), "alpha", now=NOW)
    second = await other.store.take_lease(key(1), "beta", now=NOW + 1)
    assert (first.member, second) == ("alpha", first)


async def test_a_released_lease_is_free_for_the_other(one: Shared, other: Shared) -> None:
    await one.store.take_lease(key(1), "alpha", now=NOW)

    async def building() -> dict[str, float]:
        facts = await other.store.facts(key(1), REPOSITORY, now=NOW)
        return dict(facts.building_since)

    async def is_known() -> bool:
        return await building() == {"alpha": NOW}

    await eventually(is_known, what="the other replica to hear of the lease")
    await one.store.release_lease(key(1), "alpha")

    async def is_free() -> bool:
        return await building() == {}

    await eventually(is_free, what="the other replica to hear that the lease is free")
    assert (await other.store.take_lease(key(1), "beta", now=NOW)).member == "beta"


async def test_news_come_to_the_others_in_order(one: Shared, other: Shared) -> None:
    heard: list[bytes] = []
    own: list[bytes] = []
    other.bus.subscribe(Topic.DECISION, heard.append)
    one.bus.subscribe(Topic.DECISION, own.append)
    told = [b"%d" % number for number in range(2000)]
    for body in told:
        one.bus.publish(Topic.DECISION, body)

    async def has_all() -> bool:
        return len(heard) >= len(told)

    await eventually(has_all, what="2,000 decisions to reach the other replica")
    assert heard == told, "news came twice, not at all, or in another order"
    assert own == [], "a replica's own news must not come back to it"


async def test_reports_are_heard_and_found_again(
    redis: RedisSettings, one: Shared, other: Shared
) -> None:
    heard: list[bytes] = []
    other.bus.subscribe(Topic.REPORT, heard.append)
    one.last_reports.publish("alpha", b'{"member": "alpha"}')

    async def is_heard() -> bool:
        return heard == [b'{"member": "alpha"}']

    await eventually(is_heard, what="the report to reach the other replica")

    async def is_kept() -> bool:
        return await other.last_reports.load_all() == {"alpha": b'{"member": "alpha"}'}

    await eventually(is_kept, what="the report to be kept for replicas that start")


async def test_votes_are_the_others_and_fresh(
    redis: RedisSettings, one: Shared, other: Shared
) -> None:
    one.votes.publish({"alpha": "down"})

    async def is_heard() -> bool:
        return other.votes.votes("alpha", now=NOW) == {one.replica_id: "down"}

    await eventually(is_heard, what="the vote to reach the other replica")
    assert one.votes.votes("alpha", now=NOW) == {}, "one's own vote is not another's"
    assert other.votes.votes("beta", now=NOW) == {}
    assert other.votes.votes("alpha", now=NOW + 31) == {}, "a vote counts for half a minute"

    async def is_found() -> bool:
        async with open_replica(redis) as late:
            return late.votes.votes("alpha", now=NOW) == {one.replica_id: "down"}

    await eventually(is_found, what="a replica that starts to know the votes")


async def test_one_replica_alone_needs_no_redis() -> None:
    async with open_replica(None) as shared:
        assert shared.redis is None
        shared.votes.publish({"alpha": "up"})
        shared.last_reports.publish("alpha", b"{}")
        assert shared.votes.votes("alpha", now=NOW) == {}
        assert await shared.last_reports.load_all() == {}
        assert await shared.presence.is_alive(shared.replica_id)
        assert not await shared.presence.is_alive("another")
