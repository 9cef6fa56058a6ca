"""What every stack does for an agent: build, find, list, launch through its hub, evict."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from binder_federation.binder.errors import BuildFailed
from binder_federation.binder.events import Phase
from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.stacks.base import BuildPlan, Stack
from binder_federation.cluster_agent.stacks.local.base_environment import BaseEnvironment
from binder_federation.cluster_agent.stacks.local.stack import LocalStack
from binder_federation.config.agent import LocalStackSettings
from tests.service.local.conftest import make_state_dir
from tests.support.fake_stack import FakeStack
from tests.support.git_repositories import make_repository
from tests.support.local_stack import HubClient, Progress, make_plan, make_settings


@dataclass(frozen=True)
class Case:
    """A stack, and how a repository is made that it cannot build. Its images exceed its limit
    as soon as there is one."""

    stack: Stack
    break_next_build: Callable[[], dict[str, str | bytes | None]]


def make_local(tmp_path: Path, shared: BaseEnvironment) -> Case:
    state_dir = make_state_dir(tmp_path, shared)
    local = LocalStackSettings(image_bytes_limit=1)
    stack = LocalStack(settings=make_settings(state_dir, local=local))
    return Case(stack, lambda: {"requirements.txt": "no requirement at all\n"})


def make_fake(_tmp_path: Path, _shared: BaseEnvironment) -> Case:
    stack = FakeStack()
    stack.images.limit = 0

    def break_next_build() -> dict[str, str | bytes | None]:
        stack.builder.failure = BuildFailed("It does not build.")
        return {"README.md": "broken"}

    return Case(stack, break_next_build)


@pytest.fixture(params=[make_local, make_fake], ids=["local", "fake"])
async def case(
    request: pytest.FixtureRequest, tmp_path: Path, base: BaseEnvironment
) -> AsyncIterator[Case]:
    made: Case = request.param(tmp_path, base)
    try:
        await made.stack.start()
        yield made
    finally:
        await made.stack.aclose()


def plan_for(tmp_path: Path, name: str, files: dict[str, str | bytes | None]) -> BuildPlan:
    return make_plan(make_repository(tmp_path / name, files))


async def test_an_images_whole_life(case: Case, tmp_path: Path) -> None:
    stack = case.stack
    assert stack.default_capacity >= 1
    assert all(check.ok for check in await stack.checks())
    assert await stack.images.list_images() == []

    plan = plan_for(tmp_path, "good", {"index.ipynb": "{}"})
    assert await stack.images.find(plan.key) is None
    progress = Progress()
    image = await stack.builder.build(plan, progress)
    assert image.key == plan.key
    assert image.repository == plan.spec.affinity_key
    assert progress.phases == [Phase.FETCHING, Phase.BUILDING]
    assert await stack.images.find(plan.key) == image
    assert [record.key for record in await stack.images.list_images()] == [plan.key]

    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        hub = HubClient(stack.hub, client)
        session = await hub.launch(image.reference, repo_url="https://example.org/r")
        assert session.last_event.get("ready") is True, session.last_event
        assert (await hub.visit(session, "api/status")).status_code == 200
        await stack.images.note_launch(image.key)
        assert await stack.images.ensure_room(in_use=frozenset([image.reference])) == []
        await hub.stop(session)
        assert await hub.users() == []

    assert await stack.images.ensure_room(in_use=frozenset()) == [plan.key]
    assert await stack.images.find(plan.key) is None


async def test_a_build_that_fails_leaves_no_image(case: Case, tmp_path: Path) -> None:
    plan = plan_for(tmp_path, "bad", case.break_next_build())
    with pytest.raises(BuildFailed):
        await case.stack.builder.build(plan, Progress())
    assert await case.stack.images.find(plan.key) is None
    assert await case.stack.images.list_images() == []


async def test_an_unknown_image_is_not_there(case: Case) -> None:
    unknown = ImageKey("0" * 32)
    assert await case.stack.images.find(unknown) is None
    await case.stack.images.note_launch(unknown)
