"""One base environment for all tests of this folder: it takes seconds, and never changes."""

import asyncio
import os
from pathlib import Path

import pytest

from binder_federation.cluster_agent.stacks.host.environment import tool_variables
from binder_federation.cluster_agent.stacks.host.tools import find_tool
from binder_federation.cluster_agent.stacks.local.base_environment import BaseEnvironment


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> BaseEnvironment:
    """The base environment, made."""
    folder = tmp_path_factory.mktemp("base")
    made = BaseEnvironment(
        folder=folder,
        uv=find_tool("uv"),
        variables=tool_variables(os.environ, home=folder, temporary=folder),
    )
    asyncio.run(made.ensure())
    return made


@pytest.fixture
def state_dir(tmp_path: Path, base: BaseEnvironment) -> Path:
    """An agent's state folder, which has the base environment already."""
    return make_state_dir(tmp_path, base)


def make_state_dir(parent: Path, base: BaseEnvironment) -> Path:
    """A state folder below `parent` that shares `base`."""
    state_dir = parent / "state"
    state_dir.mkdir()
    (state_dir / "base").symlink_to(base.path.parent.parent)
    return state_dir
