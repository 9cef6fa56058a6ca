"""What every locality store does: in memory, in Redis, in Valkey."""

from collections.abc import AsyncIterator

import pytest

from binder_federation.binder.messages import ImageRecord, Tier
from binder_federation.binder.spec import ImageKey
from binder_federation.federation.locality.contract import (
    DAY_SECONDS,
    LEASE_SECONDS,
    LocalityStore,
)
from binder_federation.federation.locality.memory import MemoryLocalityStore
from tests.support.redis_fixtures import NOW, RedisServers, fresh, open_replica

REPOSITORY = "gh/owner/repository"


@pytest.fixture(params=["memory", "valkey", "redis"])
async def store(
    request: pytest.FixtureRequest, redis_servers: RedisServers
) -> AsyncIterator[LocalityStore]:
    kind = request.param
    redis = None if kind == "memory" else fresh(redis_servers.get(kind))
    async with open_replica(redis) as shared:
        yield shared.store


def key(number: int) -> ImageKey:
    return ImageKey(f"{number:032x}")


def record(
    number: int = 1,
    *,
    repository: str = REPOSITORY,
    tier: Tier = Tier.NODE,
    size_bytes: int = 100,
) -> ImageRecord:
    return ImageRecord(key=key(number), repository=repository, tier=tier, size_bytes=size_bytes)


async def holders(store: LocalityStore, number: int = 1, *, now: float = NOW) -> list[str]:
    facts = await store.facts(key(number), REPOSITORY, now=now)
    return sorted(facts.holders)


async def builders(store: LocalityStore, repository: str, *, now: float = NOW) -> set[str]:
    facts = await store.facts(key(999), repository, now=now)
    return set(facts.built_repository_recently)


async def test_nothing_is_known_at_first(store: LocalityStore) -> None:
    facts = await store.facts(key(1), REPOSITORY, now=NOW)
    assert (facts.holders, facts.building_since) == ({}, {})
    assert facts.built_repository_recently == frozenset()
    assert await store.image_count() == 0


# Images


async def test_an_inventory_tells_tier_and_size(store: LocalityStore) -> None:
    await store.replace_inventory(
        "alpha", [record(1, tier=Tier.REGISTRY, size_bytes=5_000_000), record(2)], now=NOW
    )
    facts = await store.facts(key(1), REPOSITORY, now=NOW)
    held = facts.holders["alpha"]
    assert held.tier is Tier.REGISTRY
    assert held.size_bytes == pytest.approx(5_000_000, rel=0.01)
    assert NOW - DAY_SECONDS < held.last_seen <= NOW, "last seen must be right within a day"
    assert await holders(store, 2) == ["alpha"]
    assert await holders(store, 3) == []


async def test_a_whole_inventory_replaces_the_members_own_facts_only(store: LocalityStore) -> None:
    await store.replace_inventory("alpha", [record(1), record(2)], now=NOW)
    await store.replace_inventory("beta", [record(1), record(2)], now=NOW)
    await store.replace_inventory("alpha", [record(2), record(3)], now=NOW)
    assert await holders(store, 1) == ["beta"]
    assert await holders(store, 2) == ["alpha", "beta"]
    assert await holders(store, 3) == ["alpha"]
    await store.replace_inventory("alpha", [], now=NOW)
    assert await holders(store, 2) == ["beta"]


async def test_changes_add_and_remove(store: LocalityStore) -> None:
    await store.replace_inventory("alpha", [record(1), record(2)], now=NOW)
    await store.replace_inventory("beta", [record(1)], now=NOW)
    await store.apply_changes("alpha", [record(3)], [key(1), key(77)], now=NOW)
    assert await holders(store, 1) == ["beta"]
    assert await holders(store, 2) == ["alpha"]
    assert await holders(store, 3) == ["alpha"]


async def test_a_change_of_tier_is_taken(store: LocalityStore) -> None:
    await store.note_image("alpha", record(1), now=NOW)
    await store.apply_changes("alpha", [record(1, tier=Tier.REGISTRY)], [], now=NOW)
    facts = await store.facts(key(1), REPOSITORY, now=NOW)
    assert facts.holders["alpha"].tier is Tier.REGISTRY


async def test_a_note_without_a_size_keeps_the_size(store: LocalityStore) -> None:
    await store.note_image("alpha", record(1, size_bytes=420_000), now=NOW)
    await store.note_image("alpha", record(1, size_bytes=0), now=NOW + 2 * DAY_SECONDS)
    facts = await store.facts(key(1), REPOSITORY, now=NOW + 2 * DAY_SECONDS)
    assert facts.holders["alpha"].size_bytes == pytest.approx(420_000, rel=0.01)
    assert facts.holders["alpha"].last_seen > NOW, "a note says that the image is still there"


async def test_forgetting_an_image_leaves_the_other_holders(store: LocalityStore) -> None:
    await store.note_image("alpha", record(1), now=NOW)
    await store.note_image("beta", record(1), now=NOW)
    await store.forget_image("alpha", key(1))
    await store.forget_image("alpha", key(1))
    await store.forget_image("nobody", key(1))
    assert await holders(store) == ["beta"]


async def test_an_image_is_forgotten_after_thirty_days(store: LocalityStore) -> None:
    await store.note_image("alpha", record(1), now=NOW)
    await store.note_image("beta", record(1), now=NOW + DAY_SECONDS)
    assert await holders(store, now=NOW + 29 * DAY_SECONDS) == ["alpha", "beta"]
    assert await holders(store, now=NOW + 30.5 * DAY_SECONDS) == ["beta"]
    assert await holders(store, now=NOW + 32 * DAY_SECONDS) == []


async def test_images_are_counted(store: LocalityStore) -> None:
    await store.replace_inventory("alpha", [record(1), record(2)], now=NOW)
    await store.replace_inventory("beta", [record(2)], now=NOW)
    counts = [await store.image_count(name) for name in ("alpha", "beta", "gamma")]
    assert counts == [2, 1, 0]
    assert await store.image_count() == 2
    assert [store.known_images(name) for name in ("alpha", "beta", "gamma")] == counts


async def test_forgetting_a_member_forgets_all_of_it(store: LocalityStore) -> None:
    await store.replace_inventory("alpha", [record(1)], now=NOW)
    await store.replace_inventory("beta", [record(1)], now=NOW)
    await store.take_lease(key(5), "alpha", now=NOW)
    await store.forget_member("alpha")
    await store.forget_member("alpha")
    assert await holders(store) == ["beta"]
    assert await builders(store, REPOSITORY) == {"beta"}
    assert (await store.facts(key(5), REPOSITORY, now=NOW)).building_since == {}
    assert await store.image_count("alpha") == 0


# Who built a repository


async def test_a_repository_is_remembered_for_fourteen_days(store: LocalityStore) -> None:
    await store.note_image("alpha", record(1), now=NOW)
    await store.note_image("beta", record(2, repository="gh/owner/other"), now=NOW)
    assert await builders(store, REPOSITORY) == {"alpha"}
    assert await builders(store, "gh/owner/other") == {"beta"}
    assert await builders(store, REPOSITORY, now=NOW + 13 * DAY_SECONDS) == {"alpha"}
    assert await builders(store, REPOSITORY, now=NOW + 15 * DAY_SECONDS) == set()


async def test_it_is_remembered_when_the_image_is_gone(store: LocalityStore) -> None:
    await store.note_image("alpha", record(1), now=NOW)
    await store.forget_image("alpha", key(1))
    assert await builders(store, REPOSITORY) == {"alpha"}


async def test_telling_of_an_image_again_is_no_new_build(store: LocalityStore) -> None:
    await store.replace_inventory("alpha", [record(1)], now=NOW)
    await store.replace_inventory("alpha", [record(1)], now=NOW + 10 * DAY_SECONDS)
    assert await builders(store, REPOSITORY, now=NOW + 15 * DAY_SECONDS) == set()


async def test_another_ref_is_a_new_build(store: LocalityStore) -> None:
    await store.note_image("alpha", record(1), now=NOW)
    await store.note_image("alpha", record(2), now=NOW + 10 * DAY_SECONDS)
    assert await builders(store, REPOSITORY, now=NOW + 15 * DAY_SECONDS) == {"alpha"}


# Leases


async def test_the_first_taker_has_the_lease(store: LocalityStore) -> None:
    first = await store.take_lease(key(1), "alpha", now=NOW)
    second = await store.take_lease(key(1), "beta", now=NOW + 5)
    assert (first.member, first.since) == ("alpha", NOW)
    assert second == first
    facts = await store.facts(key(1), REPOSITORY, now=NOW + 10)
    assert facts.building_since == {"alpha": NOW}


async def test_taking_a_lease_again_does_not_prolong_it(store: LocalityStore) -> None:
    first = await store.take_lease(key(1), "alpha", now=NOW)
    assert await store.take_lease(key(1), "alpha", now=NOW + 100) == first


async def test_leases_of_different_images_are_different(store: LocalityStore) -> None:
    await store.take_lease(key(1), "alpha", now=NOW)
    assert (await store.take_lease(key(2), "beta", now=NOW)).member == "beta"


async def test_only_the_holder_releases(store: LocalityStore) -> None:
    await store.take_lease(key(1), "alpha", now=NOW)
    await store.release_lease(key(1), "beta")
    assert (await store.take_lease(key(1), "beta", now=NOW)).member == "alpha"
    await store.release_lease(key(1), "alpha")
    await store.release_lease(key(1), "alpha")
    assert (await store.take_lease(key(1), "beta", now=NOW)).member == "beta"


async def test_a_lease_ends_by_itself(store: LocalityStore) -> None:
    await store.take_lease(key(1), "alpha", now=NOW)
    late = NOW + LEASE_SECONDS
    assert (await store.facts(key(1), REPOSITORY, now=late - 1)).building_since == {"alpha": NOW}
    assert (await store.facts(key(1), REPOSITORY, now=late)).building_since == {}
    assert (await store.take_lease(key(1), "beta", now=late)).member == "beta"


# Bounds of the store in memory


async def test_a_member_pushes_out_its_own_facts_only() -> None:
    store = MemoryLocalityStore(most_images_per_member=3)
    await store.replace_inventory("beta", [record(1)], now=NOW)
    for number in range(1, 6):
        await store.note_image(
            "alpha", record(number, repository=f"gh/owner/{number}"), now=NOW + number
        )
    assert await store.image_count("alpha") == 3
    assert await holders(store, 1) == ["beta"]
    assert [await holders(store, number) for number in (2, 3, 4, 5)] == [
        [],
        ["alpha"],
        ["alpha"],
        ["alpha"],
    ]
    assert await builders(store, "gh/owner/2") == set()
    assert await builders(store, "gh/owner/3") == {"alpha"}


async def test_the_least_recently_seen_goes_first() -> None:
    store = MemoryLocalityStore(most_images_per_member=2)
    await store.note_image("alpha", record(1), now=NOW)
    await store.note_image("alpha", record(2), now=NOW + 1)
    await store.note_image("alpha", record(1), now=NOW + 2)
    await store.note_image("alpha", record(3), now=NOW + 3)
    assert [await holders(store, number) for number in (1, 2, 3)] == [["alpha"], [], ["alpha"]]


async def test_leases_are_bounded() -> None:
    store = MemoryLocalityStore(most_leases=2)
    for number in (1, 2, 3):
        await store.take_lease(key(number), "alpha", now=NOW)
    leased = [(await store.facts(key(n), REPOSITORY, now=NOW)).building_since for n in (1, 2, 3)]
    assert leased == [{}, {"alpha": NOW}, {"alpha": NOW}]


async def test_what_is_old_is_not_kept() -> None:
    store = MemoryLocalityStore()
    await store.note_image("alpha", record(1), now=NOW)
    await store.note_image("alpha", record(2), now=NOW + 31 * DAY_SECONDS)
    assert await store.image_count("alpha") == 1


async def test_what_is_only_in_a_registry_was_not_built_there(store: LocalityStore) -> None:
    """Registries may be copies of each other: a layer cache is where the build was."""
    await store.note_image("alpha", record(1, tier=Tier.NODE), now=NOW)
    await store.replace_inventory("beta", [record(1, tier=Tier.REGISTRY)], now=NOW)
    await store.note_image("beta", record(1, tier=Tier.NODE), now=NOW)  # pulled
    assert await builders(store, REPOSITORY) == {"alpha"}
