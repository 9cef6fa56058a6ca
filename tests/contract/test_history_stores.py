"""Replicas that keep one history: in memory alone, in Valkey, in Redis."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest

from binder_federation.federation.history.episodes import Condition
from binder_federation.federation.history.journal import Journal
from binder_federation.federation.history.launch_counts import EndedLaunch
from binder_federation.federation.history.record_store import MemoryRecordStore, RedisRecordStore
from binder_federation.federation.history.spans import DAY, HOUR, QUARTER
from binder_federation.federation.history.tallies import Tallies
from binder_federation.federation.history.tally_store import MemoryTallyStore, RedisTallyStore
from binder_federation.federation.shared.context import Shared
from binder_federation.health.state import MemberState
from tests.support.eventually import eventually
from tests.support.redis_fixtures import NOW, RedisServers, fresh, open_replica
from tests.support.redis_servers import RedisServer

UP = {"alpha": Condition(MemberState.UP, NOW)}
DOWN = {"alpha": Condition(MemberState.DOWN, NOW + 10, "refused")}
READY = EndedLaunch("alpha", "alpha", is_ready=True, seconds=12)


def journal_of(shared: Shared) -> Journal:
    redis = shared.redis
    return Journal(store=RedisRecordStore(connection=redis) if redis else MemoryRecordStore())


def tallies_of(shared: Shared) -> Tallies:
    redis = shared.redis
    return Tallies(store=RedisTallyStore(connection=redis) if redis else MemoryTallyStore())


def episodes(journal: Journal) -> list[tuple[str, bool]]:
    return [(e.reason, e.is_open) for r in journal.records.values() for e in r.episodes]


@pytest.fixture(params=["memory", "valkey", "redis"])
async def shared(
    request: pytest.FixtureRequest, redis_servers: RedisServers
) -> AsyncIterator[Shared]:
    kind = request.param
    async with open_replica(
        None if kind == "memory" else fresh(redis_servers.get(kind))
    ) as replica:
        yield replica


async def turns(journal: Journal, *steps: tuple[float, Mapping[str, Condition]]) -> None:
    for at, conditions in steps:
        await journal.turn(conditions, now=NOW + at)


async def test_an_incident_begins_and_ends(shared: Shared) -> None:
    journal = journal_of(shared)
    await turns(journal, (0, UP), (20, DOWN))
    assert episodes(journal) == [("refused", True)]
    await turns(journal, (60, UP))
    assert episodes(journal) == [("refused", False)]
    await turns(journal, (70, {}))
    assert episodes(journal) == [("refused", False)], "who left keeps a history"


async def test_launches_are_counted_in_every_span(shared: Shared) -> None:
    tallies = tallies_of(shared)
    tallies.note(READY, now=NOW)
    tallies.note(replace(READY, is_ready=False), now=NOW)
    await tallies.turn(now=NOW)
    await tallies.turn(now=NOW)
    for span in (HOUR, DAY, QUARTER):
        told = tallies.sums(span, now=NOW)["alpha"]
        assert (told.launches, told.first, told.first_ready) == (2, 2, 1), span
    later = NOW + 2 * 3600
    await tallies.turn(now=later)
    assert tallies.sums(HOUR, now=later) == {}, "an hour is an hour"
    assert tallies.sums(DAY, now=later)["alpha"].launches == 2


async def test_replicas_have_one_history(redis_server: RedisServer) -> None:
    settings = fresh(redis_server)
    async with open_replica(settings) as one, open_replica(settings) as other:
        scribe, reader = journal_of(one), journal_of(other)
        for at, conditions in ((0, UP), (20, DOWN)):
            await turns(scribe, (at, conditions))
            await turns(reader, (at + 1, conditions))
        assert reader.records == scribe.records
        await turns(reader, (22, UP))
        assert episodes(reader) == [("refused", True)], "the scribe's word holds"
        await turns(scribe, (30, UP))
        await turns(reader, (31, DOWN))
        assert episodes(reader) == episodes(scribe) == [("refused", False)]


async def test_a_restarted_federation_knows_its_history(redis_server: RedisServer) -> None:
    settings = fresh(redis_server)
    async with open_replica(settings) as before:
        journal, tallies = journal_of(before), tallies_of(before)
        await turns(journal, (0, UP), (20, DOWN))
        tallies.note(READY, now=NOW)
        await tallies.turn(now=NOW)
    async with open_replica(settings) as after:
        journal, tallies = journal_of(after), tallies_of(after)
        await turns(journal, (40, DOWN))
        await tallies.turn(now=NOW + 40)
        assert episodes(journal) == [("refused", True)]
        assert tallies.sums(DAY, now=NOW + 40)["alpha"].ready == 1


async def test_counts_of_replicas_add_up(redis_server: RedisServer) -> None:
    settings = fresh(redis_server)
    async with open_replica(settings) as one, open_replica(settings) as other:
        both = [tallies_of(one), tallies_of(other)]
        for _ in range(2):
            for tallies in both:
                tallies.note(READY, now=NOW)
                await tallies.turn(now=NOW)
        await both[0].turn(now=NOW)
        for tallies in both:
            assert tallies.sums(HOUR, now=NOW)["alpha"].launches == 4


async def test_a_lost_history_comes_back(redis_server: RedisServer) -> None:
    settings = fresh(redis_server)
    async with open_replica(settings) as one, open_replica(settings) as other:
        old, new = journal_of(one), journal_of(other)
        await turns(old, (0, UP), (20, DOWN), (60, UP))
        redis_server.flush()
        await turns(new, (61, UP))
        assert episodes(new) == [], "it never knew"
        await turns(old, (62, UP))
        await turns(new, (63, UP))
        assert episodes(new) == episodes(old) == [("refused", False)]


async def test_what_happens_without_redis_is_told_later(redis_server: RedisServer) -> None:
    async with open_replica(fresh(redis_server, background_deadline_seconds=0.5)) as replica:
        journal, tallies = journal_of(replica), tallies_of(replica)
        await turns(journal, (0, UP))
        redis_server.stop()
        await turns(journal, (20, DOWN))
        tallies.note(READY, now=NOW)
        await tallies.turn(now=NOW)
        assert journal.is_behind
        assert episodes(journal) == [("refused", True)]
        assert tallies.sums(HOUR, now=NOW)["alpha"].launches == 1
        redis_server.ensure_running()

        async def has_caught_up() -> bool:
            await turns(journal, (40, DOWN))
            await tallies.turn(now=NOW)
            return not journal.is_behind

        await eventually(has_caught_up, what="the history to reach Redis again")
        assert episodes(journal) == [("refused", True)]
        assert tallies.sums(HOUR, now=NOW)["alpha"].launches == 1
