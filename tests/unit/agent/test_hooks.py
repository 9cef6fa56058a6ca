"""The pre-launch hook: found by its name, asked, and told apart when it fails."""

from collections.abc import Mapping
from typing import Any

import pytest

from binder_federation.binder.errors import LaunchFailed
from binder_federation.cluster_agent.hooks import (
    LaunchRefused,
    PreLaunch,
    load_hook,
    no_hook,
    run_hook,
)
from binder_federation.cluster_agent.stacks.base import StackNotReady

LAUNCH = PreLaunch(
    user="owner-name-1a2b3c4d",
    repository="gh/owner/name",
    image="registry/images:tag",
    repo_url="https://example.org/owner/name",
    client_address="192.0.2.1",
)


async def add_profile(launch: PreLaunch) -> Mapping[str, Any]:
    return {"profile": f"for {launch.repository}"}


async def refuse(_launch: PreLaunch) -> None:
    raise LaunchRefused("This course begins on Monday.")


async def crash(_launch: PreLaunch) -> None:
    raise RuntimeError("a secret of the institution's")


async def test_a_hook_is_found_and_adds_options() -> None:
    hook = load_hook(f"{__name__}:add_profile")
    assert await run_hook(hook, LAUNCH) == {"profile": "for gh/owner/name"}


async def test_without_a_name_nothing_is_added() -> None:
    assert load_hook("") is no_hook
    assert await run_hook(no_hook, LAUNCH) == {}


@pytest.mark.parametrize("name", ["no.such.module:function", f"{__name__}:nothing", "json", ":x"])
def test_a_hook_that_cannot_be_had_is_named_at_the_start(name: str) -> None:
    with pytest.raises(StackNotReady) as caught:
        load_hook(name)
    assert repr(name) in caught.value.message


def test_a_hook_must_be_a_function() -> None:
    with pytest.raises(StackNotReady, match="no function"):
        load_hook(f"{__name__}:LAUNCH")


async def test_a_refusal_is_told_as_it_is() -> None:
    with pytest.raises(LaunchRefused, match="begins on Monday"):
        await run_hook(refuse, LAUNCH)


async def test_a_crash_is_the_members_and_its_words_stay_here() -> None:
    with pytest.raises(LaunchFailed) as caught:
        await run_hook(crash, LAUNCH)
    assert "secret" not in caught.value.message
