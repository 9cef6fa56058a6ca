"""What every stack does for an agent: build, find, list, launch through its hub, evict.

A test module subclasses `StackSuite` and gives the fixture `case`.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from binder_federation.binder.errors import BuildFailed
from binder_federation.binder.events import Phase
from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.hub_api import HubApi, RetryPolicy
from binder_federation.cluster_agent.stacks.base import BuildPlan, Stack
from tests.support.eventually import eventually
from tests.support.git_repositories import make_repository
from tests.support.git_server import GitServer
from tests.support.local_stack import HubClient, Progress, make_plan

TOLD_BY_ALL = (Phase.FETCHING, Phase.BUILDING)
Files = Mapping[str, str | bytes | None]


@dataclass(frozen=True)
class Case:
    """A stack that has started, and how a repository is made that it cannot build. Its images
    exceed its limit as soon as there is one, and its users may have named servers."""

    stack: Stack
    break_next_build: Callable[[], Files]
    good: Files = field(default_factory=lambda: {"index.ipynb": "{}"})
    """A repository that it can build."""
    git: GitServer | None = None
    """Serves repositories where the builder is; None for one that reads this machine's files."""


def plan_for(case: Case, tmp_path: Path, name: str, files: Files) -> BuildPlan:
    """A plan to build a new repository with these files."""
    if case.git is None:
        return make_plan(make_repository(tmp_path / name, files))
    return make_plan(case.git.create(name, files), url=f"{case.git.url}/{name}")


async def check_named_servers(stack: Stack, hub: HubClient, image: str) -> None:
    """Two servers of one user share nothing; one goes without the other, and without the user."""
    api = HubApi(client=hub.client, hub=stack.hub, policy=RetryPolicy(3, 0.5))
    first, second = (ServerName("Ada.L@example.org", f"engine-{end}") for end in ("one", "two"))
    deadline = asyncio.get_running_loop().time() + 120
    await asyncio.gather(*[start_named(api, each, image, deadline) for each in (first, second)])
    [user] = await api.users(deadline=deadline)
    assert user.active_servers.keys() == {first, second}
    await stack.tidy(known_servers=frozenset({first, second}))

    async def known() -> set[str]:
        path = f"users/{first.user}?include_stopped_servers=1"
        return set((await hub.api("GET", path)).json()["servers"]) - {""}

    async def is_first_forgotten() -> bool:
        return await known() == {second.name}

    async def are_both_forgotten() -> bool:
        return await known() == set()

    await api.delete_server(first, deadline=deadline)
    await eventually(is_first_forgotten, what="the hub to forget the first server, not the second")
    assert await api.server_status(first, first.name * 2) is None
    assert await api.server_status(second, second.name * 2) is not None
    # Once: JupyterHub fails when it is told again while it forgets the server.
    await api.delete_server(second, deadline=deadline)
    await eventually(are_both_forgotten, what="the hub to forget the second server")
    await api.delete_user(first.user, deadline=deadline)


async def start_named(api: HubApi, server: ServerName, image: str, deadline: float) -> None:
    """Start it and wait until it answers; its token is its name, twice."""
    await api.create_user(server.user, deadline=deadline)
    options = {"image": image, "token": server.name * 2}
    await api.start_server(server, options, deadline=deadline)
    async for progress in api.progress(server):
        assert not progress.failed, progress.message

    async def answers() -> bool:
        return await api.server_status(server, server.name * 2) is not None

    await eventually(answers, what=f"{server} to answer")


class StackSuite:
    """The tests; `case` is the subclass's fixture."""

    async def test_an_images_whole_life(self, case: Case, tmp_path: Path) -> None:
        stack = case.stack
        assert stack.default_capacity >= 1
        checks = await stack.checks()
        assert all(check.ok for check in checks), checks
        assert await stack.images.list_images() == []

        plan = plan_for(case, tmp_path, "good", case.good)
        assert await stack.images.find(plan.key) is None
        progress = Progress()
        image = await stack.builder.build(plan, progress)
        assert image.key == plan.key
        assert image.repository == plan.spec.affinity_key
        phases = list(dict.fromkeys(progress.phases))
        assert set(phases) <= {Phase.WAITING, Phase.FETCHING, Phase.BUILDING, Phase.PUSHING}
        assert [one for one in phases if one in TOLD_BY_ALL] == list(TOLD_BY_ALL)
        found = await stack.images.find(plan.key)
        assert found is not None, "the image that was just built is not found"
        assert (found.reference, found.repository) == (image.reference, image.repository)
        assert [record.key for record in await stack.images.list_images()] == [plan.key]

        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            hub = HubClient(stack.hub, client)
            session = await hub.launch(image.reference, repo_url="https://example.org/r")
            assert session.last_event.get("ready") is True, session.last_event
            assert (await hub.visit(session, "api/status")).status_code == 200
            await stack.images.note_launch(image.key)
            await stack.tidy(known_servers=frozenset([ServerName(session.user)]))
            assert (await hub.visit(session, "api/status")).status_code == 200
            assert await stack.images.ensure_room(in_use=frozenset([image.reference])) == []
            await hub.stop(session)
            assert await hub.users() == []
            await check_named_servers(stack, hub, image.reference)
            assert await hub.users() == []

        assert await stack.images.ensure_room(in_use=frozenset()) == [plan.key]
        assert await stack.images.find(plan.key) is None

    async def test_a_build_that_fails_leaves_no_image(self, case: Case, tmp_path: Path) -> None:
        plan = plan_for(case, tmp_path, "bad", case.break_next_build())
        with pytest.raises(BuildFailed):
            await case.stack.builder.build(plan, Progress())
        assert await case.stack.images.find(plan.key) is None
        assert await case.stack.images.list_images() == []

    async def test_an_unknown_image_is_not_there(self, case: Case) -> None:
        unknown = ImageKey("0" * 32)
        assert await case.stack.images.find(unknown) is None
        await case.stack.images.note_launch(unknown)
