"""What the agent reads: `config` with what the chart knows, and secrets by their variables."""

from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest
import yaml

from binder_federation.config.agent import AgentSettings
from binder_federation.config.load import load_settings
from tests.support.chart_schema import AGENT
from tests.support.helm import (
    ABSENT,
    CREDENTIAL,
    HelmRefused,
    Rendered,
    lint,
    render,
    run_helm,
    with_values,
)

EXTERNAL = {
    "config.kubernetes.hub": {"mode": "external", "api_url": "http://hub:8081/hub/api"},
    "secrets.hubApiToken": "the-hub-token",
}
REGISTRY = {"config.registry.repository": "registry.example.org/binder/images"}


def read(rendered: Rendered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AgentSettings:
    """The settings as the agent's container would read them."""
    secret = rendered.one("Secret")["data"]
    pod = rendered.one("Deployment")["spec"]["template"]["spec"]
    for variable in pod["containers"][0]["env"]:
        key = variable["valueFrom"]["secretKeyRef"]["key"]
        if key in secret:
            monkeypatch.setenv(variable["name"], b64decode(secret[key]).decode())
    path = tmp_path / "agent.yaml"
    path.write_text(yaml.safe_dump(rendered.agent_yaml()))
    return load_settings(AgentSettings, path)


def test_the_agent_understands_what_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read(render(with_values(REGISTRY)), tmp_path, monkeypatch)

    assert settings.stack == "kubernetes"
    assert settings.credential is not None
    assert settings.credential.get_secret_value() == CREDENTIAL
    assert (settings.host, settings.port) == ("0.0.0.0", 8585)
    assert settings.kubernetes.hub.public_url == "https://hub.uni-a.example"
    assert settings.kubernetes.namespace == "binder"
    assert settings.kubernetes.build.image == "binder-federation:0.1.0"
    assert settings.registry.repository == "registry.example.org/binder/images"


def test_settings_pass_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "registry": {
            "repository": "registry.example.org/images",
            "allow_delete": True,
            "bytes_limit": 500_000_000_000,
            "low_water_share": 0.5,
        },
        "quota": {"sessions": 0},
        "isolation": {"run_as_non_root": False, "most_processes": None},
        "patterns": [{"pattern": "gh/(a|b)/.*", "memory_limit": "4G"}],
        "kubernetes": {"build": {"image": "elsewhere/builder:7", "are_sticky": False}},
    }

    settings = read(render(with_values({"config": given})), tmp_path, monkeypatch)

    assert settings.registry.bytes_limit == 500_000_000_000
    assert settings.quota.sessions == 0
    assert settings.isolation.run_as_non_root is False
    assert settings.patterns[0].pattern == "gh/(a|b)/.*"
    assert settings.kubernetes.build.image == "elsewhere/builder:7"
    assert settings.kubernetes.build.are_sticky is False


def test_secrets_reach_their_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = with_values(
        {
            **REGISTRY,
            **EXTERNAL,
            "config.registry.credentials": "static",
            "config.registry.username": "robot",
            "config.providers.github.client_id": "our-app",
            "secrets.registryPassword": "the-password",
            "secrets.githubToken": "the-token",
            "secrets.githubClientSecret": "the-client-secret",
        }
    )
    values["config"]["kubernetes"]["hub"]["public_url"] = "https://hub.uni-a.example"
    rendered = render(values)

    settings = read(rendered, tmp_path, monkeypatch)

    given = (
        settings.credential,
        settings.registry.password,
        settings.kubernetes.hub.api_token,
        settings.providers.github.token,
        settings.providers.github.client_secret,
    )
    assert [each and each.get_secret_value() for each in given] == [
        CREDENTIAL, "the-password", "the-hub-token", "the-token", "the-client-secret",
    ]  # fmt: skip
    elsewhere = [each for each in rendered.objects if each["kind"] != "Secret"]
    assert not any(text in str(elsewhere) for text in (CREDENTIAL, "the-password", "the-token")), (
        "a secret stands outside of the Secret"
    )


def test_a_secret_that_is_there_is_used() -> None:
    rendered = render(with_values({"secrets": {"existingSecret": "ours", "credential": ""}}))

    pod = rendered.one("Deployment")["spec"]["template"]["spec"]
    references = [each["valueFrom"]["secretKeyRef"] for each in pod["containers"][0]["env"]]
    assert rendered.all("Secret") == []
    assert {each["name"] for each in references} == {"ours"}
    needed = [each["key"] for each in references if not each["optional"]]
    assert needed == ["credential"]


@pytest.mark.parametrize(
    ("changes", "engine_socket", "buildkit_address"),
    [
        ({}, "/var/run/docker.sock", ""),
        ({"builder.socket": "/run/podman/podman.sock"}, "/run/podman/podman.sock", ""),
        (
            {"builder.kind": "dind"},
            "/var/lib/binderfed/uni-a-ddea72a068/run/engine.sock",
            "",
        ),
        (
            {"builder.kind": "podman", "builder.daemon.hostPath": "/data"},
            "/data/uni-a-ddea72a068/run/engine.sock",
            "",
        ),
        (
            {"builder.kind": "buildkit", "builder.buildkitAddress": "tcp://buildkitd:1234"},
            "/var/run/docker.sock",
            "tcp://buildkitd:1234",
        ),
    ],
)
def test_builds_find_their_builder(
    changes: dict[str, Any],
    engine_socket: str,
    buildkit_address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rendered = render(with_values({**REGISTRY, **changes}))

    build = read(rendered, tmp_path, monkeypatch).kubernetes.build

    assert (build.engine_socket, build.buildkit_address) == (engine_socket, buildkit_address)
    for engine in rendered.all("DaemonSet"):
        arguments = engine["spec"]["template"]["spec"]["containers"][0]["args"]
        assert any(engine_socket in each for each in arguments), "the engine listens elsewhere"


def test_the_path_of_an_engines_socket_is_short_enough() -> None:
    changes = {
        **REGISTRY,
        "config.name": "m" * 63,
        "fullnameOverride": "f" * 50,
        "builder": {"kind": "dind", "daemon": {"hostPath": "/" + "p" * 49}},
    }

    build = render(with_values(changes)).agent_yaml()["kubernetes"]["build"]

    assert len(build["engine_socket"]) <= 107, "the kernel takes no longer one"


def test_builds_run_where_the_engine_is() -> None:
    place = {"nodeSelector": {"pool": "build"}, "tolerations": [{"key": "build"}]}
    rendered = render(with_values({**REGISTRY, "builder": {"kind": "dind", **place}}))

    build = rendered.agent_yaml()["kubernetes"]["build"]
    engine = rendered.one("DaemonSet")["spec"]["template"]["spec"]
    assert build["node_selector"] == engine["nodeSelector"] == {"pool": "build"}
    assert build["tolerations"] == engine["tolerations"] == [{"key": "build"}]


def test_the_hubs_address_follows_from_its_ingress() -> None:
    values = with_values(
        {
            "ingress": {
                "enabled": True,
                "api": {"host": "agent.example.org"},
                "proxy": {"host": "hub.example.org", "tlsSecret": "certificate"},
            }
        }
    )
    del values["config"]["kubernetes"]

    rendered = render(values)

    assert rendered.agent_yaml()["kubernetes"]["hub"]["public_url"] == "https://hub.example.org"
    assert len(rendered.all("Ingress")) == 2


REFUSED = {
    "config.name is missing": {"config.name": ABSENT},
    "config.kubernetes.hub.public_url is missing": {"config.kubernetes.hub.public_url": ABSENT},
    "config.kubernetes.hub.api_url is missing": {"config.kubernetes.hub.mode": "external"},
    "secrets.credential is missing": {"secrets.credential": ""},
    "secrets.credential is too short": {"secrets.credential": "short"},
    "config.credential is not for here: use secrets.credential": {"config.credential": "x" * 20},
    "config.port is not for here: use services.api.port": {"config.port": 9000},
    "config.kubernetes.hub.port is not for here": {"config.kubernetes.hub.port": 9000},
    "config.registry.password is not for here": {"config.registry.password": "secret"},
    "config.kubernetes.may_read_nodes is not for here": {"config.kubernetes.may_read_nodes": False},
    "replicas: a managed hub has one agent": {"replicas": 2},
    "config.registry.repository is missing": {"builder.kind": "dind"},
    "builder.buildkitAddress is missing": {**REGISTRY, "builder.kind": "buildkit"},
    "additional properties 'sesions' not allowed": {"config.quota.sesions": 3},
    "additional properties 'imgae' not allowed": {"imgae": {}},
}


@pytest.mark.parametrize(("sentence", "changes"), REFUSED.items(), ids=REFUSED.keys())
def test_what_cannot_work_is_refused_with_a_sentence(
    sentence: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(HelmRefused) as refused:
        render(with_values(changes))

    assert sentence in str(refused.value)
    assert "short" not in str(refused.value).replace("too short", ""), "the value is shown"


def test_helm_finds_nothing_to_blame() -> None:
    assert "0 chart(s) failed" in lint(with_values({}))


def test_the_chart_can_be_packed(tmp_path: Path) -> None:
    run_helm("package", str(AGENT.folder), f"--destination={tmp_path}")

    packed = tmp_path / "cluster-agent-0.1.0.tgz"
    assert packed.is_file()
    assert "kind: Deployment" in run_helm(
        "template", "alpha", str(packed), "--values=-", values=with_values({})
    )
