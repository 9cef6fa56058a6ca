"""Small decisions: submodules' URLs, session requests, folders, variables, commands."""

from pathlib import Path

import pytest

from binder_federation.cluster_agent.stacks.host.environment import (
    session_variables,
    tool_variables,
)
from binder_federation.cluster_agent.stacks.local.folders import StackFolders
from binder_federation.cluster_agent.stacks.local.server_command import (
    server_arguments,
    server_command,
)
from binder_federation.cluster_agent.stacks.managed_hub.session_request import read_session_request
from binder_federation.cluster_agent.stacks.sources.submodules import absolute_url

GITHUB = "https://github.com/owner/name"


@pytest.mark.parametrize(
    ("parent", "url", "expected"),
    [
        (GITHUB, "../other.git", "https://github.com/owner/other.git"),
        (f"{GITHUB}/", "../../else/other", "https://github.com/else/other"),
        (GITHUB, "./sub", "https://github.com/owner/name/sub"),
        (GITHUB, "../.././x/y", "https://github.com/x/y"),
        (GITHUB, "https://example.org/a.git", "https://example.org/a.git"),
        ("git@github.com:owner/name.git", "../other.git", "git@github.com:owner/other.git"),
        ("git@github.com:owner/name.git", "../../x/other", "git@github.com:x/other"),
        ("file:///srv/a/b", "../c", "file:///srv/a/c"),
        (GITHUB, "/etc", "/etc"),
    ],
)
def test_a_submodules_url_is_relative_to_its_parents(parent: str, url: str, expected: str) -> None:
    assert absolute_url(parent, url) == expected


def test_a_submodules_url_never_climbs_over_the_host() -> None:
    assert absolute_url(GITHUB, "../../../../evil.example/x") == "https://github.com/evil.example/x"


def test_a_session_request_becomes_variables() -> None:
    request = read_session_request(
        {
            "image": "a" * 32,
            "token": "secret-token",
            "repo_url": GITHUB,
            "binder_ref_url": f"{GITHUB}/tree/main",
            "binder_client_ip": "",
            "cpu_limit": 3,
        }
    )
    assert request.image == "a" * 32
    assert request.token == "secret-token"
    assert request.variables == {
        "BINDER_REPO_URL": GITHUB,
        "BINDER_REF_URL": f"{GITHUB}/tree/main",
    }


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"token": "short"},
        {"token": "long enough", "repo_url": ["x"]},
        {"token": "long enough", "binder_request": "a\0b"},
        {"token": "long enough", "binder_request": "x" * 10_000},
    ],
)
def test_a_session_request_is_checked(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"token|option"):
        read_session_request(options)


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "A" * 32, "g" * 32, "a" * 31, "a" * 33])
def test_an_image_reference_leads_nowhere_else(name: str) -> None:
    with pytest.raises(ValueError, match="32 hexadecimal digits"):
        StackFolders(Path("/state")).image(name)


@pytest.mark.parametrize("name", ["", "..", "a..b", "/a", "a/b", ".hidden", "x" * 200, "UP"])
def test_a_sessions_name_leads_nowhere_else(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        StackFolders(Path("/state")).session(name)


def test_variables_are_a_list_and_not_ours_as_a_whole(tmp_path: Path) -> None:
    ours = {
        "PATH": "/bin",
        "HOME": str(tmp_path),
        "BINDERFED_AGENT_CREDENTIAL": "secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "UV_PUBLISH_TOKEN": "secret",
        "PYTHONDONTWRITEBYTECODE": "1",
        "https_proxy": "http://proxy",
        "SSL_CERT_FILE": "/ca.pem",
        "PIP_INDEX_URL": "https://index.example",
    }
    session = session_variables(ours, home=Path("/s/home"), temporary=Path("/s/tmp"))
    assert session == {
        "PATH": "/bin",
        "HOME": "/s/home",
        "TMPDIR": "/s/tmp",
        "LANG": "C.UTF-8",
        "https_proxy": "http://proxy",
        "SSL_CERT_FILE": "/ca.pem",
        "PIP_INDEX_URL": "https://index.example",
    }
    tool = tool_variables(ours, home=Path("/s/home"), temporary=Path("/s/tmp"))
    assert tool["UV_CACHE_DIR"] == f"{tmp_path}/.cache/uv"
    assert "secret" not in tool.values()


def test_the_users_own_index_settings_survive_another_home(tmp_path: Path) -> None:
    (tmp_path / ".config/uv").mkdir(parents=True)
    (tmp_path / ".config/uv/uv.toml").touch()
    session = session_variables({"HOME": str(tmp_path)}, home=Path("/h"), temporary=Path("/t"))
    assert session["UV_CONFIG_FILE"] == f"{tmp_path}/.config/uv/uv.toml"
    assert "PIP_CONFIG_FILE" not in session


def test_the_token_is_not_on_the_command_line() -> None:
    arguments = server_arguments(port=1, base_url="/user/x/", runs_as_root=False)
    assert not any("token" in argument for argument in arguments)
    assert "--ServerApp.allow_root=True" not in arguments
    assert "--ServerApp.allow_root=True" in server_arguments(
        port=1, base_url="/user/x/", runs_as_root=True
    )


def test_start_wraps_the_server() -> None:
    command = server_command(environment=Path("/e"), start=["/f/start"], arguments=["--x"])
    assert command == ["/f/start", "/e/bin/jupyter-lab", "--x"]
