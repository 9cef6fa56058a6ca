"""A JupyterLab that is open in a browser, and that nobody uses, does not keep its server."""

import json
import secrets
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect

from tests.support.agent_process import AgentProcess, agent_process
from tests.support.eventually import eventually
from tests.support.git_repositories import make_repository
from tests.support.running_up import FederationClient, git_path

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="session")]

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
NOTEBOOK = {"cells": [], "metadata": {"kernelspec": KERNEL}, "nbformat": 4, "nbformat_minor": 5}


async def culled(agent: AgentProcess) -> int:
    """How many sessions the agent has ended."""
    async with httpx.AsyncClient(timeout=10) as client:
        lines = (await client.get(f"{agent.url}/metrics")).text.splitlines()
    return sum(
        int(float(line.rsplit(" ", 1)[1]))
        for line in lines
        if line.startswith("binderfed_agent_servers_culled_total{")
    )


async def test_a_tab_that_is_left_open_does_not_keep_its_server(
    tmp_path: Path, browser: Browser
) -> None:
    repository = make_repository(tmp_path / "tab", {"index.ipynb": json.dumps(NOTEBOOK)})
    limits = {"cull_idle_seconds": 15, "cull_every_seconds": 1}
    async with agent_process(
        tmp_path / "agent",
        "alpha",
        credential=secrets.token_hex(32),
        open_builds=True,
        launch=limits,
        providers={"trusted_prefixes": [repository.file_url]},
    ) as agent:
        seen = await FederationClient(url=agent.url).launch(git_path(repository.file_url))
        ready = seen.last.fields
        page = await browser.new_page()
        try:
            await page.goto(f"{ready['url']}lab/tree/index.ipynb?token={ready['token']}")
            await expect(page.locator(".jp-Notebook")).to_be_visible(timeout=60_000)
            assert await culled(agent) == 0, "it was in use until now"

            async def is_ended() -> bool:
                return await culled(agent) == 1

            await eventually(is_ended, what="the server to be ended", within_seconds=90)
        finally:
            await page.close()
