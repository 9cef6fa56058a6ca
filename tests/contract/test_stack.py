"""The contract of stacks, where it needs nothing: the local stack, and the one of our tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from binder_federation.binder.errors import BuildFailed
from binder_federation.cluster_agent.stacks.local.base_environment import BaseEnvironment
from binder_federation.cluster_agent.stacks.local.stack import LocalStack
from binder_federation.config.agent import LocalStackSettings
from tests.contract.stack_suite import Case, Files, StackSuite
from tests.service.local.conftest import make_state_dir
from tests.support.fake_stack import FakeStack
from tests.support.local_stack import make_settings


def make_local(tmp_path: Path, shared: BaseEnvironment) -> Case:
    state_dir = make_state_dir(tmp_path, shared)
    local = LocalStackSettings(image_bytes_limit=1)
    stack = LocalStack(
        settings=make_settings(state_dir, local=local, launch={"named_servers": True})
    )
    return Case(stack, lambda: {"requirements.txt": "no requirement at all\n"})


def make_fake(_tmp_path: Path, _shared: BaseEnvironment) -> Case:
    stack = FakeStack()
    stack.images.limit = 0

    def break_next_build() -> Files:
        stack.builder.failure = BuildFailed("It does not build.")
        return {"README.md": "broken"}

    return Case(stack, break_next_build)


class TestStacks(StackSuite):
    """The suite, for each."""

    @pytest.fixture(params=[make_local, make_fake], ids=["local", "fake"])
    async def case(
        self, request: pytest.FixtureRequest, tmp_path: Path, base: BaseEnvironment
    ) -> AsyncIterator[Case]:
        made: Case = request.param(tmp_path, base)
        try:
            await made.stack.start()
            yield made
        finally:
            await made.stack.aclose()
