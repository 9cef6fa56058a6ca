"""What a user's container runs, and what it gets of the machine."""

import shlex

import pytest

from binder_federation.cluster_agent.stacks.containers.refusals import is_for_want_of_room
from binder_federation.cluster_agent.stacks.containers.server_command import server_command
from binder_federation.cluster_agent.stacks.containers.session_resources import read_resources
from binder_federation.config.resources import ResourceSettings

USUAL = ResourceSettings(memory_limit="2G", cpu_limit=2)


def test_the_command_is_one_shell_script_with_quoted_arguments() -> None:
    shell, flag, script = server_command(port=8888, base_url="/user/a'b/", may_be_root=False)
    assert (shell, flag) == ("sh", "-c")
    words = shlex.split(script)
    assert "--ServerApp.base_url=/user/a'b/" in words
    assert "--NotebookApp.base_url=/user/a'b/" in words
    assert "jupyter-lab" in words
    assert "jupyter-notebook" in words
    assert "allow_root" not in script


def test_root_is_allowed_only_where_the_settings_do() -> None:
    script = server_command(port=8888, base_url="/user/a/", may_be_root=True)[2]
    assert "--ServerApp.allow_root=True" in script


def test_a_launch_may_ask_for_something_else() -> None:
    options = {"mem_limit": "4G", "cpu_guarantee": 0.5, "mem_guarantee": None, "cpu_limit": ""}
    found = read_resources(options, USUAL)
    assert (found.memory_limit, found.cpu_guarantee) == ("4G", 0.5)
    assert (found.memory_guarantee, found.cpu_limit) == (USUAL.memory_guarantee, 2)


@pytest.mark.parametrize(
    "options", [{"mem_limit": "much"}, {"cpu_limit": -1}, {"mem_guarantee": ["1G"]}]
)
def test_nonsense_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="make no sense"):
        read_resources(options, USUAL)


@pytest.mark.parametrize(
    ("message", "is_full"),
    [
        ('Spawn failed: (403)\nReason: Forbidden\n... "pods is forbidden: exceeded quota"', True),
        ("Spawn failed: The cluster has no room for another server: its quota is used up.", True),
        ("Spawn failed: The image cannot be pulled.", False),
    ],
)
def test_want_of_room_is_told_from_failures(message: str, is_full: bool) -> None:
    assert is_for_want_of_room(message) is is_full
