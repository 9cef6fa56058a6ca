"""A BinderHub with its own rate limit takes our launches with the tokens of its own page."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from binder_federation.binder.events import Phase
from binder_federation.federation.binderhub.page_tokens import find_token
from tests.support.fake_binderhub import FakeBinderHub
from tests.support.federation_server import SHA, FederationServer, running_federation
from tests.support.fleets import running_fleet

PATH = f"gh/owner/repository/{SHA}"
OFF = {"policy": {"rate_limit": {"launches": 0}}}
"""The federation's own limit of visitors."""


@asynccontextmanager
async def running(hub: FakeBinderHub) -> AsyncIterator[FederationServer]:
    await hub.start()
    try:
        async with running_federation([hub], **OFF) as federation:
            yield federation
    finally:
        await hub.stop()


@pytest.mark.parametrize("has_old_page", [False, True])
async def test_more_launches_than_its_limit_are_all_ready_there(has_old_page: bool) -> None:
    hub = FakeBinderHub("hub", rate_limit=2, has_old_page=has_old_page)
    async with running(hub) as federation:
        paths = [f"gh/owner/r{number}/{SHA}" for number in range(20)]
        seen = [await federation.launch(path) for path in paths]

    assert {one.last.phase for one in seen} == {Phase.READY}, seen[-1].last
    assert {one.last.fields["attempt"] for one in seen} == {1}, "the same attempt goes on"
    assert hub.tokens.count("") == 3, "two that are free, and the one that met the limit"
    assert set(hub.pages) == set(paths[2:]), "nobody asks for pages before there is a limit"


async def test_a_spec_with_escapes_gets_its_token() -> None:
    hub = FakeBinderHub("hub", rate_limit=1)
    async with running(hub) as federation:
        path = f"git/https%3A%2F%2Fforge.example%2Fgroup%2Fname.git/{SHA}"
        seen = [await federation.launch(path) for _ in range(2)]

    assert [one.last.phase for one in seen] == [Phase.READY] * 2, seen[-1].last


async def test_launches_at_once_share_one_question() -> None:
    hub = FakeBinderHub("hub", rate_limit=1, page_seconds=0.3)
    async with running(hub) as federation:
        seen = await asyncio.gather(*(federation.launch(PATH) for _ in range(8)))
        later = await federation.launch(PATH)

    assert {one.last.phase for one in (*seen, later)} == {Phase.READY}
    assert hub.pages[PATH] == 1, "the token is kept, and asked for once"


async def test_a_token_about_to_expire_is_not_kept() -> None:
    hub = FakeBinderHub("hub", rate_limit=1, token_seconds=20)
    async with running(hub) as federation:
        seen = [await federation.launch(PATH) for _ in range(3)]

    assert {one.last.phase for one in seen} == {Phase.READY}
    assert hub.pages[PATH] == 2


@pytest.mark.parametrize("has_token", ["never", "wrong", "unwanted"])
async def test_without_a_good_token_launches_go_elsewhere(has_token: str) -> None:
    async with running_fleet("binderhubs") as fleet:
        hub = fleet.usual
        assert isinstance(hub, FakeBinderHub)
        hub.is_api_only = has_token == "never"
        hub.page_secret = "the key of another replica of this one" if has_token == "wrong" else ""
        hub.limit_now("127.0.0.1")
        hub.uses_page_tokens = has_token != "unwanted"
        async with running_federation(fleet.members, **OFF) as server:
            seen = await server.launch(fleet.launch_path())
            share = server.context.monitor.success_share(hub.name, server.context.clock())

    assert seen.last.phase is Phase.READY
    assert seen.last.fields["member"] != hub.name
    assert seen.last.fields["attempt"] == 2
    assert share == 1.0, "it is well"
    asked = {"never": [False], "wrong": [False, True, False], "unwanted": [False]}[has_token]
    assert [bool(token) for token in hub.tokens] == asked
    assert hub.pages.total() == (0 if has_token == "unwanted" else 1)


async def test_a_token_refused_later_is_forgotten_and_asked_for_anew() -> None:
    """Its key may be a new one after each restart."""
    hub = FakeBinderHub("hub", rate_limit=1)
    async with running(hub) as federation:
        for _ in range(2):
            await federation.launch(PATH)
        hub.token_secret = "the key after it was started again"
        hub.rate_limit = 3
        seen = [await federation.launch(PATH) for _ in range(2)]

    assert [one.last.phase for one in seen] == [Phase.READY] * 2
    assert [bool(token) for token in hub.tokens] == [False, False, True, True, False, True]
    assert hub.pages[PATH] == 2


def test_pages_without_a_token() -> None:
    for page in ("", "<html>", '"buildToken": ""', '<meta id="build-token" data-token="x y">'):
        assert find_token(page) == "", page
