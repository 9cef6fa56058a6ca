"""What the federation reads: `config` with what the chart knows, and secrets by their variables."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from binder_federation.config.federation import FederationSettings
from binder_federation.config.load import load_settings
from tests.support.chart_schema import FEDERATION
from tests.support.helm import ABSENT, HelmRefused, Json, Rendered, lint, render, run_helm
from tests.support.helm_values import (
    CREDENTIAL,
    REDIS_PASSWORD,
    environment_of,
    federation_values,
    render_federation,
)

OWN_REDIS = {"redis.bundled.enabled": False, "config.redis.url": "rediss://redis.example:6379"}
HOST = {"ingress": {"enabled": True, "host": "binder.example.org"}}
TLS = {"ingress": {"enabled": True, "host": "binder.example.org", "tlsSecret": "certificate"}}
MEMBERS: list[dict[str, Any]] = [
    {"name": "uni-a", "url": "https://agent.uni-a.example", "weight": 2.5},
    {"name": "uni-b", "url": "https://binder.uni-b.example", "kind": "binderhub"},
    {"name": "uni-c-2", "url": "https://uni-c.example/?a=1&b=$(HOME)", "draining": True},
]


def read(
    rendered: Rendered,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    secret: Mapping[str, str] | None = None,
) -> FederationSettings:
    """The settings as the federation's container would read them."""
    for name, value in environment_of(rendered, secret).items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "federation.yaml"
    path.write_text(yaml.safe_dump(rendered.federation_yaml()))
    return load_settings(FederationSettings, path)


def test_the_federation_understands_what_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read(render_federation({}), tmp_path, monkeypatch)

    (member,) = settings.members
    assert member.credential is not None
    assert member.credential.get_secret_value() == CREDENTIAL
    assert (settings.host, settings.port) == ("0.0.0.0", 8080)
    assert settings.redis is not None
    assert settings.redis.password is not None
    assert settings.redis.password.get_secret_value() == REDIS_PASSWORD


def test_members_pass_unchanged_and_get_their_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {"uni-a": CREDENTIAL, "uni-c-2": "another-long-random-text"}
    rendered = render_federation({"config.members": MEMBERS, "secrets.memberCredentials": texts})

    members = {each.name: each for each in read(rendered, tmp_path, monkeypatch).members}

    assert list(members) == ["uni-a", "uni-b", "uni-c-2"]
    found = {name: each.credential and each.credential.get_secret_value()
             for name, each in members.items()}  # fmt: skip
    assert found == {**texts, "uni-b": None}
    assert members["uni-a"].weight == 2.5
    assert members["uni-c-2"].url == MEMBERS[2]["url"], "the container's variables got into it"
    assert members["uni-c-2"].draining


def test_settings_pass_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "public_url": "https://binder.example.org",
        "launch": {"attempts": 2, "silence_seconds": 30.5},
        "health": {"panic_below": 0.25},
        "providers": {"git": {"allowed_protocols": ["https"]}, "downloads": {"most_bytes": 10**11}},
        "redis": {"prefix": "ours"},
        "log_level": "debug",
    }

    settings = read(render_federation({"config": given}), tmp_path, monkeypatch)

    assert settings.public_url == "https://binder.example.org"
    assert (settings.launch.attempts, settings.launch.silence_seconds) == (2, 30.5)
    assert settings.health.panic_below == 0.25
    assert settings.providers.git.allowed_protocols == ("https",)
    assert settings.providers.downloads.most_bytes == 10**11
    assert settings.redis is not None
    assert settings.redis.prefix == "ours"
    assert settings.log_level == "debug"


SECRETS = {
    "adminToken": ("admin-token", "admin.token"),
    "redisPassword": ("redis-password", "redis.password"),
    "githubToken": ("github-token", "providers.github.token"),
    "githubClientSecret": ("github-client-secret", "providers.github.client_secret"),
    "gitlabPrivateToken": ("gitlab-private-token", "providers.gitlab.private_token"),
    "gitlabAccessToken": ("gitlab-access-token", "providers.gitlab.access_token"),
    "bitbucketToken": ("bitbucket-token", "providers.bitbucket.token"),
    "bitbucketAppPassword": ("bitbucket-app-password", "providers.bitbucket.app_password"),
}
OURS = {"existingSecret": "ours", "redisPassword": "", "memberCredentials": ABSENT}
JOINING = "a-long-random-text-of-members-who-join"
ADMIN = "the-token-of-an-operators-program"
KEYS = ["a-long-random-text-that-signs-tokens", "another-one-that-signed-them-before"]
OLD, CI = "the-credential-before-this-one", "the-token-of-somebodys-ci"
LISTS = {
    "tokenKeys": KEYS,
    "buildTokens": {"uni-a-ci": CI},
    "joiningKey": JOINING,
    "adminTokens": {"ci": {"token": ADMIN, "scopes": ["read", "prepare"]}},
    "oldMemberCredentials": {"uni-a": OLD},
}


def check_lists(settings: FederationSettings) -> None:
    """What is secret in a list."""
    (member,), (builder,) = settings.members, settings.builds.tokens
    (admin,) = settings.admin.tokens
    assert secret_at(settings, "joining.key") == JOINING
    assert admin.token is not None
    assert (admin.name, admin.token.get_secret_value()) == ("ci", ADMIN)
    assert admin.scopes == {"read", "prepare"}
    assert [key.get_secret_value() for key in settings.tokens.keys] == KEYS
    assert [old.get_secret_value() for old in member.old_credentials] == [OLD]
    assert (builder.name, builder.token.get_secret_value()) == ("uni-a-ci", CI)


def test_secrets_reach_their_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {name: f"the-secret-text-for-{name}" for name in SECRETS}
    rendered = render_federation({"secrets": {**given, **LISTS}})

    settings = read(rendered, tmp_path, monkeypatch)

    assert {name: secret_at(settings, path) for name, (_, path) in SECRETS.items()} == given
    check_lists(settings)
    elsewhere = str([each for each in rendered.objects if each["kind"] != "Secret"])
    told = [
        text
        for text in (CREDENTIAL, OLD, CI, ADMIN, JOINING, *given.values(), *KEYS)
        if text in elsewhere
    ]
    assert told == [], "a secret stands outside of the Secret"


def secret_at(settings: Any, path: str) -> str:
    for name in path.split("."):
        settings = getattr(settings, name)
    return str(settings.get_secret_value())


def test_a_secret_that_is_there_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = render_federation({"secrets": {**OURS, "rotating": ["uni-a"]}})
    theirs = {key: f"the-secret-text-for-{key}" for key, _ in SECRETS.values()}
    theirs |= {
        "member-uni-a": CREDENTIAL,
        "old-member-uni-a": OLD,
        "token-keys": json.dumps(KEYS),
        "build-tokens": json.dumps([{"name": "uni-a-ci", "token": CI}]),
        "joining-key": JOINING,
        "admin-tokens": json.dumps([{"name": "ci", "token": ADMIN, "scopes": ["prepare", "read"]}]),
    }

    settings = read(rendered, tmp_path, monkeypatch, secret=theirs)

    assert rendered.all("Secret") == []
    assert "the-secret" not in rendered.text
    assert secret_at(settings.members[0], "credential") == CREDENTIAL
    check_lists(settings)
    assert {path: secret_at(settings, path) for _, path in SECRETS.values()} == {
        path: theirs[key] for key, path in SECRETS.values()
    }
    (redis,) = rendered.one("StatefulSet")["spec"]["template"]["spec"]["containers"]
    reference = redis["env"][0]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": "ours", "key": "redis-password"}


def test_what_is_optional_may_be_missing_in_a_secret_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = render_federation({**OWN_REDIS, "secrets": OURS})

    settings = read(rendered, tmp_path, monkeypatch, secret={"member-uni-a": CREDENTIAL})

    assert settings.admin.token is None
    assert settings.redis is not None
    assert settings.redis.password is None


def test_every_secret_setting_has_a_place_in_the_chart() -> None:
    schema = FederationSettings.model_json_schema()

    def secret_paths(node: Json, path: tuple[str, ...]) -> Iterator[str]:
        for choice in (node, *node.get("anyOf", ()), *node.get("allOf", ())):
            if "$ref" in choice:
                yield from secret_paths(schema["$defs"][choice["$ref"].rpartition("/")[2]], path)
            if choice.get("writeOnly"):
                yield ".".join(path)
        for name, child in node.get("properties", {}).items():
            yield from secret_paths(child, (*path, name))
        if "items" in node:
            yield from secret_paths(node["items"], (*path, "*"))

    paths = set(secret_paths(schema, ()))

    assert "providers.github.token" in paths, "this test does not find what is secret"
    lists = {
        "members.*.credential", "members.*.old_credentials.*",
        "tokens.keys.*", "builds.tokens.*.token", "admin.tokens.*.token", "joining.key",
    }  # fmt: skip
    # A URL is refused when it has a password; it may stand in `config` otherwise.
    assert paths - {path for _, path in SECRETS.values()} - lists == {"redis.url"}, (
        "add it to charts/federation: _secrets.tpl, values.yaml, values.schema.json"
    )


def test_members_of_a_federation_alone_need_no_redis(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = render_federation(
        {"redis": ABSENT, "replicas": 1, "secrets.redisPassword": "not-used"}
    )

    assert read(rendered, tmp_path, monkeypatch).redis is None
    assert rendered.all("StatefulSet") == []


def test_a_redis_of_ones_own_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(render_federation(OWN_REDIS), tmp_path, monkeypatch)

    assert secret_at(settings, "redis.url") == "rediss://redis.example:6379"
    assert secret_at(settings, "redis.password") == REDIS_PASSWORD


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({}, None),
        (TLS, "https://binder.example.org"),
        ({**HOST, "config.public_url": "https://cdn.example"}, "https://cdn.example"),
        ({**TLS, "config.public_url": "https://cdn.example"}, "https://cdn.example"),
    ],
)
def test_the_public_address_follows_from_the_ingress(
    changes: dict[str, Any], address: str | None
) -> None:
    assert render_federation(changes).federation_yaml().get("public_url") == address


GATEWAY = {"httpRoute": {"enabled": True, "parentRefs": [{"name": "ours"}]}}
MEMBER = "config.members"
REFUSED: dict[str, dict[str, Any]] = {
    "config.port is not for here: use service.port": {"config.port": 9000},
    "config.host is not for here": {"config.host": "::"},
    "config.admin.token is not for here: use secrets.adminToken": {"config.admin.token": "x" * 20},
    "config.providers.gitlab.private_token is not for here": {
        "config.providers.gitlab.private_token": "x" * 20
    },
    "config.redis.url is not for here: redis.bundled.enabled is true": {
        "config.redis.url": "redis://elsewhere"
    },
    "config.redis.url holds a password": {
        **OWN_REDIS, "config.redis.url": "redis://:geheim@redis.example:6379"
    },
    "config.members[0].credential is not for here: use secrets.memberCredentials.uni-a": {
        MEMBER: [{"name": "uni-a", "url": "https://a.example", "credential": "x" * 20}]
    },
    'config.members[1].name: "uni-a" is used twice': {MEMBER: [MEMBERS[0], MEMBERS[0]]},
    "secrets.memberCredentials.uni-c-2 is missing": {MEMBER: MEMBERS},
    "secrets.memberCredentials.uni-z is not for here: config.members has no member": {
        "secrets.memberCredentials.uni-z": "a-long-random-text-too"
    },
    "secrets.memberCredentials.uni-a is too short": {"secrets.memberCredentials.uni-a": "geheim"},
    "secrets.memberCredentials.uni-a holds a quote": {
        "secrets.memberCredentials.uni-a": 'a-long-random-"geheim"-text'
    },
    "secrets.memberCredentials.uni-b is not for here: a BinderHub has none": {
        MEMBER: MEMBERS[:2], "secrets.memberCredentials.uni-b": "a-long-random-text-too"
    },
    "config.members is too long": {
        MEMBER: [{"name": f"m-{number}", "url": f"https://member-{number}.binder.example/agent",
                  "kind": "binderhub", "weight": 1.0} for number in range(1200)],
        "secrets.memberCredentials": ABSENT,
    },
    "config.members[0].old_credentials is not for here": {
        MEMBER: [{"name": "uni-a", "url": "https://a.example", "old_credentials": ["x" * 20]}]
    },
    "secrets.rotating is for an existingSecret": {"secrets.rotating": ["uni-a"]},
    "secrets.oldMemberCredentials.uni-z is not for here: config.members has no member": {
        "secrets.oldMemberCredentials.uni-z": "a-long-random-text-too"
    },
    "secrets.buildTokens.ci is too short": {"secrets.buildTokens.ci": "geheim"},
    "config.builds.tokens is not for here: use secrets.buildTokens": {
        "config.builds.tokens": [{"name": "ci", "token": "geheim-and-long-enough"}]
    },
    "secrets.adminToken is too short": {"secrets.adminToken": "geheim"},
    "secrets.adminTokens.ci.token is too short": {
        "secrets.adminTokens": {"ci": {"token": "geheim", "scopes": ["read"]}}
    },
    "secrets.adminTokens.ci.token is missing": {
        "secrets.adminTokens": {"ci": {"scopes": ["read"]}}
    },
    "secrets.adminTokens.ci.scopes is missing": {
        "secrets.adminTokens": {"ci": {"token": "geheim-and-long-enough"}}
    },
    "secrets.adminTokens.ci must be a map": {
        "secrets.adminTokens": {"ci": "geheim-and-long-enough"}
    },
    "config.admin.tokens is not for here: use secrets.adminTokens": {
        "config.admin.tokens": [{"name": "ci", "token": "geheim-and-long", "scopes": ["read"]}]
    },
    "secrets.joiningKey is too short": {"secrets.joiningKey": "geheim-but-not-long-enough"},
    "secrets.tokenKeys[0] is too short: a random text of at least 32": {
        "secrets.tokenKeys": ["geheim-but-not-long-enough"]
    },
    "secrets.redisPassword is missing": {"secrets.redisPassword": ""},
    "secrets.redisPassword is too short": {"secrets.redisPassword": "geheim"},
    "secrets.memberCredentials is not for here: secrets.existingSecret": {
        "secrets.existingSecret": "ours"
    },
    "replicas: more than one replica needs Redis": {"redis": ABSENT},
    "persistence.enabled is for a federation without Redis": {"persistence.enabled": True},
    "redis.bundled.persistence.enabled is true, but redis.bundled.enabled is not": {
        "redis.bundled": {"enabled": False, "persistence": {"enabled": True}}, "replicas": 1
    },
    "config.steering.file is not for here: persistence.enabled is true": {
        "redis": ABSENT, "replicas": 1, "persistence.enabled": True,
        "config.steering.file": "/elsewhere/steering.json",
    },
    "autoscaling.maxReplicas: more than one replica needs Redis": {
        "redis": ABSENT, "replicas": 1, "autoscaling.enabled": True
    },
    "autoscaling.minReplicas is more than": {
        "autoscaling": {"enabled": True, "minReplicas": 7}
    },
    "autoscaling.cpu and autoscaling.memory are both missing": {
        "autoscaling": {"enabled": True, "cpu": None}
    },
    "resources.requests.memory is missing": {
        "autoscaling": {"enabled": True, "memory": 80}, "resources.requests": {"memory": None}
    },
    "terminationGracePeriodSeconds is too short": {"preStopSeconds": 40},
    "ingress.host is missing": {"ingress.enabled": True},
    "config.public_url is missing: without ingress.tlsSecret": HOST,
    "config.public_url begins with http://": {**TLS, "config.public_url": "http://b.example"},
    "httpRoute.parentRefs is missing": {"httpRoute.enabled": True},
    "config.public_url is missing: the chart cannot tell whether browsers come to the Gateway":
        GATEWAY,
    "additional properties 'atempts' not allowed": {"config.launch.atempts": 3},
    "additional properties 'replica' not allowed": {"replica": 3},
}  # fmt: skip


@pytest.mark.parametrize(("sentence", "changes"), REFUSED.items(), ids=REFUSED.keys())
def test_what_cannot_work_is_refused_with_a_sentence(
    sentence: str, changes: dict[str, Any]
) -> None:
    with pytest.raises(HelmRefused) as refused:
        render_federation(changes)

    assert sentence in str(refused.value)
    assert "geheim" not in str(refused.value), "a secret is shown"


def test_helm_finds_nothing_to_blame() -> None:
    assert "0 chart(s) failed" in lint(federation_values({}), chart=FEDERATION)


def test_the_chart_can_be_packed(tmp_path: Path) -> None:
    run_helm("package", str(FEDERATION.folder), f"--destination={tmp_path}")

    packed = next(tmp_path.glob("federation-*.tgz"))
    text = run_helm("template", "alpha", str(packed), "--values=-", values=federation_values({}))
    assert "kind: Deployment" in text


def test_values_without_any_member_are_taken() -> None:
    """A federation may begin with its pages alone."""
    rendered = render({"replicas": 1}, chart=FEDERATION)

    assert "BINDERFED_MEMBERS" not in environment_of(rendered, {})
