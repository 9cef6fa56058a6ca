"""Challenges, manifests, configs, files of credentials: text → values."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.cluster_agent.registry.challenges import Challenge, read_challenge
from binder_federation.cluster_agent.registry.credentials.base import (
    RegistryLogin,
    docker_config_json,
)
from binder_federation.cluster_agent.registry.credentials.static import login_in
from binder_federation.cluster_agent.registry.errors import ImageUnreadable
from binder_federation.cluster_agent.registry.manifests import (
    Descriptor,
    Platform,
    choose_platform,
    read_config,
    read_manifest,
)

REALM = "https://auth.example.org/token"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (
            [f'Bearer realm="{REALM}",service="s",scope="repository:a/b:pull,push"'],
            Challenge("bearer", REALM, "s", "repository:a/b:pull,push"),
        ),
        ([f"bearer realm={REALM}, service=s"], Challenge("bearer", REALM, "s")),
        ([f'Bearer service="a \\"b\\"",realm="{REALM}"'], Challenge("bearer", REALM, 'a "b"')),
        (['Basic realm="x"'], Challenge("basic")),
        (["BASIC"], Challenge("basic")),
        (['Basic realm="x"', f'Bearer realm="{REALM}"'], Challenge("bearer", REALM)),
        ([f'Basic realm="x", Bearer realm="{REALM}"'], Challenge("bearer", REALM)),
        (["Negotiate"], None),
        (["Basically"], None),
        ([], None),
    ],
)
def test_challenges(headers: list[str], expected: Challenge | None) -> None:
    assert read_challenge(headers) == expected


@given(st.lists(st.text(max_size=80), max_size=3))
def test_any_header_is_read(headers: list[str]) -> None:
    assert read_challenge(headers) is None or "a" in "".join(headers).lower()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"3",
        b"null",
        b"{}",
        b'{"schemaVersion": 1, "fsLayers": []}',
        b'{"config": {"digest": "sha256:0", "size": 1}, "layers": []}',
        b'{"config": {"digest": "../../../v2/other", "size": 1}, "layers": []}',
        b'{"manifests": [{"digest": "sha256:' + b"0" * 64 + b'", "size": -1}]}',
        b'{"manifests": 3}',
    ],
)
def test_what_is_no_manifest_is_unreadable(body: bytes) -> None:
    with pytest.raises(ImageUnreadable, match="not known here"):
        read_manifest(body)


@given(st.binary(max_size=60) | st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.sampled_from(["manifests", "config", "layers"]), inner)
    | st.lists(inner, max_size=2),
    max_leaves=5,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_manifest_is_read_or_unreadable(body: bytes) -> None:
    with contextlib.suppress(ImageUnreadable):
        read_manifest(body)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"config": 3}', b'{"created": "yesterday"}'])
def test_what_is_no_config_is_unreadable(body: bytes) -> None:
    with pytest.raises(ImageUnreadable, match="cannot be read"):
        read_config(body)


@pytest.mark.parametrize(
    "body", [b"{}", b'{"config": null, "created": null}', b'{"config": {"Labels": null}}']
)
def test_a_config_may_say_nothing(body: bytes) -> None:
    config = read_config(body)
    assert (dict(config.labels), config.created) == ({}, None)


def descriptor(number: int, os: str, architecture: str) -> Descriptor:
    platform = Platform(os=os, architecture=architecture)
    return Descriptor(digest=f"sha256:{number:064x}", size=1, platform=platform)


@pytest.mark.parametrize(
    ("platforms", "chosen"),
    [
        ([("linux", "arm64"), ("linux", "amd64")], 1),
        ([("windows", "amd64"), ("linux", "amd64")], 1),
        ([("linux", "arm64")], 0),
        ([("linux", "arm64"), ("windows", "amd64")], None),
        ([], None),
    ],
)
def test_the_platform_is_chosen(platforms: list[tuple[str, str]], chosen: int | None) -> None:
    images = [descriptor(number, *platform) for number, platform in enumerate(platforms)]
    if chosen is None:
        with pytest.raises(ImageUnreadable, match="linux/amd64"):
            choose_platform(images)
    else:
        assert choose_platform(images) == images[chosen]


def auth(username: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


REPOSITORY = "registry.example.org/binder/images"


@pytest.mark.parametrize(
    ("auths", "expected"),
    [
        ({"registry.example.org": auth("u", "p:q")}, ("u", "p:q")),
        ({"https://registry.example.org/v2/": auth("u", "p")}, ("u", "p")),
        ({"https://registry.example.org": {"username": "u", "password": "p"}}, ("u", "p")),
        (
            {"registry.example.org": auth("u", "p"), f"{REPOSITORY}": auth("own", "q")},
            ("own", "q"),
        ),
        ({"registry.example.org/bin": auth("u", "p")}, None),
        ({"registry.example.org": {}}, None),  # a helper program keeps it
        ({"registry.example.org": {"identitytoken": "t"}}, None),
        ({"other.example.org": auth("u", "p")}, None),
        ({}, None),
    ],
)
def test_logins_in_a_docker_config(
    auths: dict[str, object], expected: tuple[str, str] | None
) -> None:
    login = login_in(json.dumps({"auths": auths, "credsStore": "desktop"}), REPOSITORY)
    assert (login and (login.username, login.password)) == expected


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"auths": []}', '{"auths": {"h": 3}}', '{"auths": {"h": {"auth": "no base64"}}}'],
)
def test_what_is_no_docker_config(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        login_in(text, "h/name")


@given(
    st.text(st.characters(codec="utf-8", exclude_characters=":\0"), min_size=1),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
    st.sampled_from(["registry.example.org", "127.0.0.1:5000", "docker.io"]),
)
def test_what_is_written_for_docker_is_what_docker_reads(
    username: str, password: str, host: str
) -> None:
    login = RegistryLogin(username, password)
    assert login_in(docker_config_json(login, host), f"{host}/binder/images") == login


def test_docker_hub_has_its_old_name() -> None:
    written = json.loads(docker_config_json(RegistryLogin("u", "p"), "docker.io"))
    assert list(written["auths"]) == ["https://index.docker.io/v1/"]


def test_a_password_is_not_shown() -> None:
    assert "hidden" not in repr(RegistryLogin("u", "hidden"))
