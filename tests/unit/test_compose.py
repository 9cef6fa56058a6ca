"""compose.yaml: what is made for it, the services understand."""

from pathlib import Path

import pytest
import yaml

from binder_federation.config.agent import AgentSettings
from binder_federation.config.federation import FederationSettings
from binder_federation.config.load import load_settings
from tests.support.compose_project import ROOT, ComposeProject

TOKEN = 'bfi_id.a"long$random\\text'


@pytest.fixture
def project(tmp_path: Path) -> ComposeProject:
    return ComposeProject(tmp_path)


def test_a_federation_and_its_member_share_their_secrets(
    project: ComposeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.make_secrets()
    folder = project.folder / "deploy/compose"
    for name in ("federation", "member"):
        for key, value in project.secrets_of(name).items():
            monkeypatch.setenv(key, value)

    federation = load_settings(FederationSettings, folder / "federation.yaml")
    agent = load_settings(AgentSettings, folder / "agent.yaml")

    (member,) = federation.members
    assert (member.name, member.credential) == (agent.name, agent.credential)
    assert federation.redis is not None
    assert federation.redis.password is not None
    valkey = project.secrets_of("valkey")["REDISCLI_AUTH"]
    assert federation.redis.password.get_secret_value() == valkey
    assert federation.admin.token is not None
    assert member.url.endswith(f":{agent.port}")


def test_secrets_that_are_there_stay(project: ComposeProject) -> None:
    project.make_secrets()
    before = {name: project.secrets_of(name) for name in ("federation", "member", "valkey")}
    (project.folder / "deploy/compose/secrets/member.env").unlink()

    project.make_secrets()

    assert {name: project.secrets_of(name) for name in before} == before


def test_a_member_alone_has_its_invitation(
    project: ComposeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.make_secrets("member", "uni-x", "https://binder.example.org", stdin=f"{TOKEN}\n")
    for key, value in project.secrets_of("member").items():
        monkeypatch.setenv(key, value)

    agent = load_settings(AgentSettings, project.folder / "deploy/compose/agent.yaml")

    assert agent.join is not None
    assert agent.join.token is not None
    assert agent.join.token.get_secret_value() == TOKEN
    assert "COMPOSE_PROFILES=member\n" in (project.folder / ".env").read_text()


def test_what_compose_mounts_is_there() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]

    mounted = {
        volume.split(":")[0]
        for each in services.values()
        for volume in each.get("volumes", ())
        if volume.startswith("./")
    }
    assert mounted
    assert [path for path in sorted(mounted) if not (ROOT / path).exists()] == []
