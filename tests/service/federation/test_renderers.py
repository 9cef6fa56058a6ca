"""Processes that render: slow, broken and busy ones cost a preview, never more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from binder_federation.federation.previews.renderers import Renderers, RenderingFailed
from tests.support.notebook_files import cell, notebook

NOTEBOOK = notebook(cell("markdown", "# A title"))


@pytest.fixture
async def renderers() -> AsyncIterator[Renderers]:
    made = Renderers(at_once=1, most_waiting=1, deadline_seconds=20)
    yield made
    await made.aclose()


async def test_a_file_that_breaks_the_renderer_costs_its_process_only(
    renderers: Renderers,
) -> None:
    # Far more elements than a parser's stack has room for: its process may crash or refuse.
    deep = notebook(cell("markdown", "<div>" * 20_000))
    with suppress(RenderingFailed):
        await renderers.render("a.ipynb", deep)
    assert await renderers.render("a.ipynb", NOTEBOOK)


async def test_who_finds_others_waiting_gets_nothing(renderers: Renderers) -> None:
    assert await renderers.render("a.ipynb", b"no notebook") is None
    first, second, third = await asyncio.gather(
        *(renderers.render("a.ipynb", NOTEBOOK) for _ in range(3)), return_exceptions=True
    )
    assert isinstance(first, bytes)
    assert isinstance(second, bytes)
    assert isinstance(third, RenderingFailed)


async def test_a_file_that_takes_too_long_is_given_up() -> None:
    renderers = Renderers(at_once=1, deadline_seconds=0.01)  # less than its process needs to start
    try:
        with pytest.raises(RenderingFailed):
            await renderers.render("a.ipynb", NOTEBOOK)
    finally:
        await renderers.aclose()
