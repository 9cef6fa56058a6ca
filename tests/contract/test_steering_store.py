"""What every `SteeringStore` does: in memory, in a file, in a real Valkey and a real Redis."""

import asyncio
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from binder_federation.config.load import ConfigurationError
from binder_federation.federation.shared.connection import open_connection
from binder_federation.federation.steering.audit import Actor, AuditEntry
from binder_federation.federation.steering.document import BanOrder, SteeringDocument, Word
from binder_federation.federation.steering.steering import Steering
from binder_federation.federation.steering.store import SteeringStore, SteeringUnavailable
from binder_federation.federation.steering.stores.file import FileSteeringStore
from binder_federation.federation.steering.stores.memory import MemorySteeringStore
from binder_federation.federation.steering.stores.redis import RedisSteeringStore
from binder_federation.runtime.tasks import BackgroundTasks
from tests.support.redis_fixtures import RedisServers
from tests.support.redis_servers import RedisServer

OPS = Actor("ops")
NOW = 1_700_000_000.0
MakeStore = Callable[[], SteeringStore]
"""Another store of the same document, as another replica or the next process has it."""


def with_ban(name: str) -> Callable[[SteeringDocument], SteeringDocument]:
    ban = BanOrder(id=name, word=Word(by="ops", at=NOW), pattern=f"gh/{name}/.*")
    return lambda document: document.with_ban(ban)


def entry(number: int) -> AuditEntry:
    return AuditEntry(at=NOW, by="ops", action="ban", subject=f"ban-{number}", revision=number)


@asynccontextmanager
async def redis_stores(server: RedisServer) -> AsyncIterator[MakeStore]:
    async with AsyncExitStack() as stack:
        tasks = BackgroundTasks()
        connection = await stack.enter_async_context(
            open_connection(server.settings(), tasks=tasks, registry=CollectorRegistry())
        )
        stack.push_async_callback(tasks.aclose)
        yield lambda: RedisSteeringStore(connection)


@pytest.fixture(params=["memory", "file", "valkey", "redis"])
async def make_store(
    request: pytest.FixtureRequest, tmp_path: Path, redis_servers: RedisServers
) -> AsyncIterator[MakeStore]:
    if request.param == "memory":
        store = MemorySteeringStore()
        yield lambda: store
    elif request.param == "file":
        yield lambda: FileSteeringStore(tmp_path / "state" / "steering.json")
    else:
        async with redis_stores(redis_servers.get(request.param)) as make:
            yield make


async def test_at_first_there_is_nothing(make_store: MakeStore) -> None:
    store = make_store()
    assert (await store.revision(), await store.load(), await store.read_audit(5)) == (0, None, [])


async def test_what_is_kept_is_there_for_others(make_store: MakeStore) -> None:
    document = with_ban("bad")(SteeringDocument(revision=1))
    assert await make_store().replace(document, expected_revision=0, entry=entry(1))
    other = make_store()
    assert (await other.revision(), await other.load()) == (1, document)


async def test_a_change_of_something_older_is_refused(make_store: MakeStore) -> None:
    store = make_store()
    first = with_ban("first")(SteeringDocument(revision=1))
    assert await store.replace(first, expected_revision=0, entry=entry(1))
    second = with_ban("second")(SteeringDocument(revision=1))
    assert not await make_store().replace(second, expected_revision=0, entry=entry(2))
    assert await store.load() == first, "the second change took the first away"
    assert await store.read_audit(5) == [entry(1)], "an entry tells of what did not happen"


async def test_the_audit_tells_the_latest_first(make_store: MakeStore) -> None:
    store = make_store()
    for number in range(1, 5):
        document = SteeringDocument(revision=number)
        assert await store.replace(document, expected_revision=number - 1, entry=entry(number))
    assert await make_store().read_audit(3) == [entry(4), entry(3), entry(2)]


async def test_changes_at_once_all_hold(make_store: MakeStore) -> None:
    replicas = [Steering(store=make_store(), clock=lambda: NOW) for _ in range(3)]
    await asyncio.gather(
        *(
            replica.change(with_ban(f"{n}-{i}"), actor=OPS, action="ban", subject=f"{n}-{i}")
            for n, replica in enumerate(replicas)
            for i in range(3)
        )
    )
    for replica in replicas:
        await replica.refresh()
        assert len(replica.current.bans) == 9, "a change was lost"
        assert replica.current.revision == 9
    assert len(await replicas[0].audit(100)) == 9


async def test_a_change_that_is_refused_leaves_nothing(make_store: MakeStore) -> None:
    steering = Steering(store=make_store(), clock=lambda: NOW)

    def refuse(_document: SteeringDocument) -> SteeringDocument:
        raise SteeringUnavailable("No.")

    with pytest.raises(SteeringUnavailable):
        await steering.change(refuse, actor=OPS, action="ban", subject="x")
    assert (steering.current.revision, await steering.audit(5)) == (0, [])


async def test_lost_documents_come_back(redis_servers: RedisServers) -> None:
    server = redis_servers.get("valkey")
    async with redis_stores(server) as make:
        steering = Steering(store=make(), clock=lambda: NOW)
        for name in ("one", "two"):
            await steering.change(with_ban(name), actor=OPS, action="ban", subject=name)
        server.flush()
        newcomer = Steering(store=make(), clock=lambda: NOW)
        await newcomer.refresh()
        assert newcomer.current.bans == {}, "nobody has told it yet"
        await steering.refresh()
        await newcomer.refresh()
        assert set(newcomer.current.bans) == {"one", "two"}
        assert [each.action for each in await newcomer.audit(5)] == ["given_back"]


async def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "steering.json"
    await FileSteeringStore(path).replace(
        SteeringDocument(revision=1), expected_revision=0, entry=entry(1)
    )
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [
        "steering.json",
        "steering.json.audit.jsonl",
        "steering.json.lock",
    ]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_a_file_that_cannot_be_read_is_no_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "steering.json"
    path.write_text('{"revision": 3, "bans": ')
    with pytest.raises(ConfigurationError, match=r"steering\.json cannot be read"):
        await FileSteeringStore(path).load()


async def test_a_disk_that_cannot_be_written_refuses(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("a file where a folder has to be")
    store = FileSteeringStore(tmp_path / "folder" / "steering.json")
    with pytest.raises(SteeringUnavailable, match="cannot be written"):
        await store.replace(SteeringDocument(revision=1), expected_revision=0, entry=entry(1))
