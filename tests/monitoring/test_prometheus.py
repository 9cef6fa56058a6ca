"""A real Prometheus scrapes two replicas under load, and is asked every query of every panel."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.panels import Query, Tells
from tests.monitoring.queries import FILLED, fill, panel_queries
from tests.support.eventually import eventually
from tests.support.prometheus import Prometheus
from tests.support.watched_federation import WatchedFederation, watched_federation

QUICK = {**FILLED, "__rate_interval": "15s", "__range": "60s", "__interval": "1s"}
PATIENCE_SECONDS = 90


def _queries(member: str) -> Iterator[tuple[str, Query, str]]:
    for name, _panel, query in panel_queries():
        yield name, query, fill(query.expression, {**QUICK, "member": member})


async def _without_data(prometheus: Prometheus, waiting: dict[str, str]) -> dict[str, str]:
    return {name: query for name, query in waiting.items() if not await prometheus.ask(query)}


async def test_every_panel_has_data_and_none_is_green_for_a_dead_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with watched_federation(tmp_path, monkeypatch) as watched:
        watched.begin_traffic()
        await _check_that_all_panels_have_data(watched)
        await _check_that_nothing_is_green_for_a_dead_member(watched)


async def _check_that_all_panels_have_data(watched: WatchedFederation) -> None:
    waiting = {name: asked for name, query, asked in _queries("alpha") if not query.is_sparse}

    for _name, query, asked in _queries("alpha"):
        if query.is_sparse:
            await watched.prometheus.ask(asked)  # empty is fine, an error is not

    async def have_data() -> bool:
        nonlocal waiting
        waiting = await _without_data(watched.prometheus, waiting)
        await asyncio.sleep(0.5)
        return not waiting

    try:
        await eventually(have_data, what="data", within_seconds=PATIENCE_SECONDS)
    except AssertionError:
        pytest.fail("\n".join(["no data in:", *(f"{n}\n    {q}" for n, q in waiting.items())]))


async def _check_that_nothing_is_green_for_a_dead_member(watched: WatchedFederation) -> None:
    telling = [(name, query, asked) for name, query, asked in _queries("beta")
               if query.tells is not Tells.NOTHING]  # fmt: skip
    assert len(telling) >= 4, "panels that tell a member's health have vanished"
    before = await watched.prometheus.ask(_well_members())
    for name, query, asked in telling:
        assert await _is_green(watched.prometheus, query, asked), f"{name} is red before"
    await watched.agents["beta"].stop()

    green: list[str] = []

    async def is_red_everywhere() -> bool:
        green[:] = [n for n, q, asked in telling if await _is_green(watched.prometheus, q, asked)]
        return not green

    try:
        await eventually(is_red_everywhere, what="red", within_seconds=PATIENCE_SECONDS)
    except AssertionError:
        pytest.fail(f"these are green though the member is dead: {green}")
    after = await watched.prometheus.ask(_well_members())
    assert after[0].value == before[0].value - 1, "the dead member is still counted as well"


def _well_members() -> str:
    (asked,) = [a for name, _, a in _queries("beta") if "/ Members that are well /" in name]
    return asked


async def _is_green(prometheus: Prometheus, query: Query, asked: str) -> bool:
    """Whether any series of the member says that it is well."""
    values = [
        each.value
        for each in await prometheus.ask(asked)
        if each.labels.get("member") in (None, "beta")
    ]
    if query.tells is Tells.WELL_ABOVE_ZERO:
        return any(value > 0 for value in values)
    return any(value == 0 for value in values)
