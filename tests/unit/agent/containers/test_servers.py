"""What a user's container runs, and what it gets of the machine."""

import shlex

import pytest

from binder_federation.cluster_agent.stacks.containers.refusals import (
    has_no_program,
    has_stopped,
    is_for_want_of_room,
    own_exit_code,
)
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


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (f"Spawn failed: {has_stopped(127)}", 127),
        (has_stopped(0), 0),
        (has_stopped(137), None),
        (has_stopped(-9), None),
        (has_stopped("unknown"), None),
        ("Spawn failed: The image cannot be pulled.", None),
    ],
)
def test_an_end_of_its_own_is_told_from_one_by_a_signal(message: str, code: int | None) -> None:
    assert own_exit_code(message) == code


@pytest.mark.parametrize(
    ("words", "is_images"),
    [
        ('starting container process caused: exec: "sh": executable file not found in $PATH', True),
        ("unable to find user nosuchuser: no matching entries in passwd file", True),
        ('exec: "/entry": stat /entry: no such file or directory: unknown', True),
        ('exec: "/entry": permission denied: unknown', True),
        ("standard_init_linux.go:228: exec user process caused: exec format error", True),
        ('error mounting "/x" to rootfs: no such file or directory', False),
        ("failed to set up container networking: address already in use", False),
        ("", False),
    ],
)
def test_an_image_without_a_program_is_told_from_an_engine_that_fails(
    words: str, is_images: bool
) -> None:
    assert has_no_program(words) is is_images
