"""From a DOI to a notebook on the local stack: real uv, hub and server, and a site like Zenodo."""

import io
import zipfile
from pathlib import Path
from typing import cast

import httpx

from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.stacks.local.stack import LocalStack
from tests.service.data_repositories.sites import ZenodoCase
from tests.support.agent_server import running_agent
from tests.support.fake_stack import FakeStack
from tests.support.local_stack import make_settings

NOTEBOOK = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


def release() -> bytes:
    """What GitHub gives Zenodo: all of a repository in one folder, in one archive."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("owner-repo-1234567/index.ipynb", NOTEBOOK)
        archive.writestr("owner-repo-1234567/data/table.csv", "1,2")
    return data.getvalue()


async def test_a_launch_from_zenodo(state_dir: Path) -> None:
    case = ZenodoCase()
    async with case.site, case.doi:
        case.publish({"owner/repo-v1.0.zip": release()})
        settings = make_settings(state_dir, providers=case.settings())
        async with running_agent(
            cast("FakeStack", LocalStack(settings=settings)),  # nothing here asks what is fake
            state_dir=state_dir,
            providers=case.settings(),
            open_builds=True,
            launch={"timeout_seconds": 60},
        ) as agent:
            agent.client.timeout = httpx.Timeout(120)
            seen = await agent.launch("zenodo/10.5281/zenodo.100")
            assert seen.last.phase is Phase.READY, seen.text
            assert "Downloading owner/repo-v1.0.zip" in seen.text
            assert "Unpacking repo-v1.0.zip" in seen.text
            url, token = seen.last.fields["url"], seen.last.fields["token"]
            headers = {"Authorization": f"token {token}"}
            contents = await agent.client.get(f"{url}api/contents/", headers=headers)
            names = {entry["name"] for entry in contents.json()["content"]}
            assert names == {"index.ipynb", "data"}, "the archive is not what it stands for"
            assert seen.last.fields["repo_url"] == f"{case.doi.url}/10.5281/zenodo.101"
