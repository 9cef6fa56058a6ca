"""`/status`, `/api/status` and `/status.atom` of a real federation."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, fromstring

from binder_federation.federation.history.spans import DAY
from binder_federation.federation.steering.audit import Actor
from binder_federation.federation.steering.document import DrainOrder, Word
from tests.support.eventually import eventually
from tests.support.fake_member import Failure, FakeMember
from tests.support.federation_server import FederationServer, running_federation
from tests.support.redis_fixtures import fresh
from tests.support.redis_servers import RedisServer

ATOM = "{http://www.w3.org/2005/Atom}"


@asynccontextmanager
async def federation_of_two(
    **settings: Any,
) -> AsyncIterator[tuple[FederationServer, FakeMember, FakeMember]]:
    alpha, beta = FakeMember("alpha"), FakeMember("beta")
    for member in (alpha, beta):
        await member.start()
    try:
        health = {"recover_after_seconds": 0.1}
        async with running_federation([alpha, beta], health=health, **settings) as server:
            yield server, alpha, beta
    finally:
        for member in (alpha, beta):
            await member.stop()


async def status(server: FederationServer) -> dict[str, Any]:
    answer = await server.client.get("/api/status")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def until(server: FederationServer, part: str) -> dict[str, Any]:
    """The status once its sentence has `part`."""

    async def is_told() -> bool:
        return part in (await status(server))["headline"]

    await eventually(is_told, what=f"the status to tell that {part}")
    return await status(server)


async def test_a_member_goes_and_comes_back() -> None:
    async with federation_of_two() as (server, alpha, _beta):
        told = await until(server, "All members are well.")
        assert told["level"] == "good"
        assert told["incidents"] == []
        await server.context.history.turn()
        await alpha.stop()
        told = await until(server, "1 of 2 members takes launches; alpha has been down since")
        assert told["level"] == "fair"
        down = told["members"][0]
        assert (down["state"], down["words"], down["takes_launches"]) == ("down", "Down", False)
        assert down["reason"] == "it refuses connections"
        await server.context.history.turn()
        await until_told(server, "alpha is down")
        page = await text(server, "/status")
        assert "alpha has been down since" in page
        assert "It refuses connections." in page
        await alpha.start()
        await until(server, "alpha is coming back")
        await server.context.history.turn()
        await until_told(server, "alpha was down for")


async def test_launches_are_counted() -> None:
    async with federation_of_two() as (server, alpha, beta):
        for member in (alpha, beta):
            member.fail_next(Failure.STATUS_500)
        first = await server.launch()
        assert first.last.phase.value == "failed", "both members failed once"
        alpha.fail_next(Failure.BUILD_FAILS)
        beta.fail_next(Failure.BUILD_FAILS)
        await server.launch()
        for member in (alpha, beta):
            member._failures.clear()
        for _ in range(3):
            assert (await server.launch()).last.phase.value == "ready"

        async def are_counted() -> bool:
            return bool((await status(server))["launches"]["last_day"]["launches"] == 5)

        await eventually(are_counted, what="the launches to be counted")
        told = await status(server)
        day = told["launches"]["last_day"]
        assert (day["ready"], day["first_attempts"]) == (3, 4), "a build error says nothing"
        assert day["first_attempt_success"] == 0.75
        assert day["seconds_to_ready_median"] > 0
        by_member = [member["launches"]["last_hour"]["ready"] for member in told["members"]]
        assert sum(by_member) == 3


async def test_a_federation_that_starts_again_knows_its_launches(
    redis_server: RedisServer,
) -> None:
    redis = fresh(redis_server)
    async with federation_of_two(redis=redis) as (server, _alpha, _beta):
        await server.launch()
    async with federation_of_two(redis=redis) as (server, _alpha, _beta):

        async def is_known() -> bool:
            return bool((await status(server))["launches"]["last_day"]["ready"] == 1)

        await eventually(is_known, what="the launch of before to be counted")


async def test_build_only_is_no_launch() -> None:
    async with federation_of_two() as (server, _alpha, _beta):
        await server.launch(query="?build_only=true")
        history = server.context.history
        assert history.sums(DAY, now=server.context.clock()) == {}


async def test_what_has_not_changed_is_not_sent_again() -> None:
    async with federation_of_two() as (server, _alpha, _beta):
        for path in ("/status", "/api/status", "/status.atom"):

            async def is_known(path: str = path) -> bool:
                etag = (await server.client.get(path)).headers["ETag"]
                again = await server.client.get(path, headers={"If-None-Match": etag})
                return again.status_code == 304 and again.headers["ETag"] == etag

            await eventually(is_known, what=f"{path} to be the same as before")
            other = await server.client.get(path, headers={"If-None-Match": 'W/"other"'})
            assert other.status_code == 200


async def test_pages_of_others_may_read_it() -> None:
    public_url = "https://binder.example.org"
    async with federation_of_two(public_url=public_url) as (server, _alpha, _beta):
        for path in ("/api/status", "/status.atom"):
            answer = await server.client.get(path, headers={"Origin": "https://other.example"})
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert answer.headers["Cache-Control"] == "public, max-age=1"


async def test_without_pages_there_is_still_a_status() -> None:
    async with federation_of_two(pages={"enabled": False}) as (server, _alpha, _beta):
        assert (await server.client.get("/status")).status_code == 404
        assert (await server.client.get("/api/status")).status_code == 200


async def test_a_federation_without_members_says_so() -> None:
    async with running_federation([]) as server:
        told = await status(server)
        assert told["headline"] == "This federation has no members yet."
        assert told["level"] == "unknown"
        assert "Members appear here" in await text(server, "/status")


async def test_the_feed_has_what_rfc_4287_asks_for() -> None:
    settings = {"public_url": "https://binder.example/base/"}
    async with federation_of_two(**settings) as (server, alpha, _beta):
        await server.context.history.turn()
        await alpha.stop()
        await until(server, "alpha has been down")
        await server.context.history.turn()
        await until_told(server, "alpha is down")
        answer = await server.client.get("/status.atom")
        assert answer.headers["Content-Type"].startswith("application/atom+xml")
        feed = parse(answer.text)
        assert feed.tag == f"{ATOM}feed"
        for element in (feed, feed.find(f"{ATOM}entry")):
            assert element is not None
            for name in ("id", "title", "updated"):
                assert len(element.findall(f"{ATOM}{name}")) == 1, f"one {name} in {element.tag}"
        assert find(feed, "author/name") == ["Binder Federation"]
        assert find(feed, "id") == ["tag:binder.example,2026-01-01:status"]
        links = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
        assert links["self"] == "https://binder.example/base/status.atom"
        entry = feed.find(f"{ATOM}entry")
        assert entry is not None
        entry_link = entry.find(f"{ATOM}link[@rel='alternate']")
        assert entry_link is not None, "an entry without content needs one"
        anchor = urlsplit(entry_link.get("href", "")).fragment
        assert f'id="{anchor}"' in await text(server, "/status"), "the link leads to its line"
        before = find(feed, "entry/id")
        await alpha.start()
        await until(server, "alpha is coming back")
        await server.context.history.turn()
        ended = await until_told(server, "alpha was down for")
        assert find(ended, "entry/id") == before, "it is the same entry when it has ended"


async def test_who_has_lost_redis_says_so(redis_server: RedisServer) -> None:
    redis = fresh(redis_server)
    async with federation_of_two(redis=redis) as (server, _alpha, _beta):
        assert (await status(server))["notes"] == []
        redis_server.stop()

        async def is_told() -> bool:
            notes = (await status(server))["notes"]
            return bool(notes) and "cannot reach Redis" in notes[0]

        await eventually(is_told, what="the status to tell that Redis is away")
        assert "cannot reach Redis" in await text(server, "/status")
        assert (await status(server))["headline"] == "All members are well."


async def test_a_drain_is_maintenance() -> None:
    async with federation_of_two() as (server, alpha, _beta):
        await server.context.history.turn()
        word = Word(by="ops", at=server.context.clock(), reason="New disks", until=4e9)
        order = DrainOrder(word=word, is_draining=True)
        await server.context.steering.change(
            lambda document: document.with_orders(alpha.name, drain=order),
            actor=Actor("ops"),
            action="drain",
            subject=alpha.name,
        )
        told = await until(server, "1 of 2 members takes launches; alpha is in maintenance")
        assert told["members"][0]["reason"] == "New disks"
        assert told["members"][0]["until"] == "2096-10-02T07:06:40Z"
        await server.context.history.turn()

        async def is_told() -> bool:
            kinds = [each["kind"] for each in (await status(server))["incidents"]]
            return kinds == ["maintenance"]

        await eventually(is_told, what="the maintenance to be told")
        page = await text(server, "/status")
        assert "New disks." in page
        assert "Planned until" in page


async def text(server: FederationServer, path: str) -> str:
    answer = await server.client.get(path)
    assert answer.status_code == 200
    return answer.text


def parse(body: str) -> Element:
    return fromstring(body)  # noqa: S314 - it is our own


async def until_told(server: FederationServer, title: str) -> Element:
    """The feed once its first entry's title begins like this."""
    told: list[Element] = []

    async def is_told() -> bool:
        told[:] = [parse(await text(server, "/status.atom"))]
        titles = find(told[0], "entry/title")
        return bool(titles) and titles[0].startswith(title)

    await eventually(is_told, what=f"the feed to tell that {title}")
    return told[0]


def find(element: Element, path: str) -> list[str]:
    atom_path = "/".join(f"{ATOM}{name}" for name in path.split("/"))
    return [each.text or "" for each in element.findall(atom_path)]
