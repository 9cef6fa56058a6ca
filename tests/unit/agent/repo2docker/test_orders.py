"""The order of a build: what crosses to its process, and what it makes of it."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from binder_federation.binder.errors import BuildFailed
from binder_federation.binder.providers.base import FileSource, GitSource, RemoteFile, Source
from binder_federation.cluster_agent.stacks.repo2docker.buildx import (
    builder_command,
    buildx_arguments,
)
from binder_federation.cluster_agent.stacks.repo2docker.docker_config import write_docker_config
from binder_federation.cluster_agent.stacks.repo2docker.links import check_links
from binder_federation.cluster_agent.stacks.repo2docker.making import maker_document
from binder_federation.cluster_agent.stacks.repo2docker.order import (
    BuildOrder,
    OrderedSource,
    order_json,
    ordered,
    read_order,
    write_order,
)
from binder_federation.config.providers import GitHubSettings, ProviderSettings

SECRET = "a-token-that-nobody-may-see"


def make_order(**changes: object) -> BuildOrder:
    values = {
        "repository": "gh/owner/name",
        "resolved_ref": "a" * 40,
        "source": OrderedSource(
            url="https://example.org/r", environment={"GIT_CONFIG_VALUE_0": SECRET}
        ),
        "providers": ProviderSettings(github=GitHubSettings(token=SecretStr(SECRET))),
        "reference": "binderfed/alpha:x",
        "timeout_seconds": 60,
        **changes,
    }
    return BuildOrder.model_validate(values)


def test_secrets_survive_the_document_and_show_nowhere_else(tmp_path: Path) -> None:
    order = make_order()
    path = tmp_path / "order.json"
    write_order(path, order)
    assert path.stat().st_mode & 0o077 == 0, "others could read the secrets"
    read = read_order(path)
    assert read == order
    assert read.providers.github.token is not None
    assert read.providers.github.token.get_secret_value() == SECRET
    assert SECRET in order_json(order)
    assert SECRET not in repr(order)
    assert SECRET not in maker_document(order, tmp_path), "repo2docker needs no git credentials"


FILES = FileSource(
    url="https://doi.org/10.5281/zenodo.101",
    files=(
        RemoteFile("code/ü.py", "https://zenodo.org/api/x", 3, "md5:0"),
        RemoteFile("b", "https://zenodo.org/api/y"),
    ),
    origins=("https://zenodo.org",),
    unpack=True,
    notes=("Leaving out x.",),
)
GIT = GitSource("https://example.org/r", {"a.b": "c"}, {"GIT_X": "y"})


@pytest.mark.parametrize("source", [FILES, GIT], ids=["files", "git"])
def test_every_kind_of_source_crosses_as_it_is(tmp_path: Path, source: Source) -> None:
    order = make_order(source=ordered(source))
    path = tmp_path / "order.json"
    write_order(path, order)
    assert read_order(path).source.as_source() == source
    labels = json.loads(maker_document(order, tmp_path))["labels"]
    assert labels["repo2docker.repo"] == source.url


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "svn", "url": "https://example.org/r"},
        {"url": "https://example.org/r"},
        {"kind": "files", "url": "https://example.org/r"},
        {"kind": "git", "url": "https://example.org/r", "files": []},
    ],
)
def test_a_source_that_this_builder_does_not_know(
    tmp_path: Path, source: dict[str, object]
) -> None:
    path = tmp_path / "order.json"
    document = json.loads(order_json(make_order()))
    path.write_text(json.dumps({**document, "source": source}))
    with pytest.raises(ValueError, match="source"):
        read_order(path)


def test_the_images_labels_say_what_it_was_made_from(tmp_path: Path) -> None:
    document = json.loads(maker_document(make_order(labels={"mine": "1"}), tmp_path))
    assert document["labels"] == {
        "mine": "1",
        "repo2docker.repo": "https://example.org/r",
        "repo2docker.ref": "a" * 40,
    }


def test_an_engine_keeps_the_image() -> None:
    arguments = buildx_arguments(
        context=".",
        tag="x:1",
        is_pushed=False,
        buildargs={"NB_UID": "1000"},
        labels={"a": "b"},
        extra=["--network=host"],
    )
    assert arguments == [
        *("buildx", "build", "--progress", "plain", "--load", "--tag", "x:1"),
        *("--build-arg", "NB_UID=1000", "--label", "a=b", "--network=host", "."),
    ]


def test_buildkit_pushes_and_keeps_nothing(tmp_path: Path) -> None:
    order = make_order(push="buildkit", buildkit_address="tcp://buildkit:1234")
    document = json.loads(maker_document(order, tmp_path))
    arguments = buildx_arguments(
        context=".", tag="x:1", is_pushed=document["is_pushed"], builder=document["builder"]
    )
    assert "--push" in arguments
    assert "--load" not in arguments
    command = builder_command(order.buildkit_address)
    assert command[-1] == "tcp://buildkit:1234"
    name = command[command.index("--name") + 1]
    assert arguments[arguments.index("--builder") + 1] == name
    assert command[command.index("--driver") + 1] == "remote"


@pytest.mark.parametrize(
    ("changes", "is_there"),
    [
        ({}, False),
        ({"push": "engine"}, False),
        ({"base_image": "python:3.12"}, False),
        ({"base_image": "registry.example.org/base:1"}, True),
        ({"push": "buildkit"}, True),
    ],
)
def test_a_strangers_dockerfile_gets_logins_only_where_the_build_needs_them(
    tmp_path: Path, changes: dict[str, object], is_there: bool
) -> None:
    given = tmp_path / "given.json"
    given.write_text(json.dumps({"auths": {"registry.example.org": {"auth": "x"}}}))
    write_docker_config(tmp_path / "made", given=given, order=make_order(**changes))
    made = json.loads((tmp_path / "made" / "config.json").read_text())
    assert ("auths" in made) is is_there


def test_links_that_stay_in_the_repository_are_fine(tmp_path: Path) -> None:
    (tmp_path / "binder").mkdir()
    (tmp_path / "Dockerfile.real").write_text("FROM x")
    (tmp_path / "binder/Dockerfile").symlink_to("../Dockerfile.real")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/elsewhere").symlink_to("/etc/passwd")  # nothing that builds reads it
    check_links(tmp_path, "")
    check_links(tmp_path, "data/../binder")


@pytest.mark.parametrize("name", ["Dockerfile", "binder/environment.yml", ".binder/x", "sub/y"])
def test_links_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    link = tmp_path / name
    link.parent.mkdir(exist_ok=True)
    link.symlink_to("/etc/passwd")
    with pytest.raises(BuildFailed, match="leads out of the repository"):
        check_links(tmp_path, "sub" if name.startswith("sub") else "")


def test_a_folder_of_files_may_not_be_a_link_out(tmp_path: Path) -> None:
    (tmp_path / "binder").symlink_to("/etc")
    with pytest.raises(BuildFailed, match="leads out of the repository"):
        check_links(tmp_path, "")


@pytest.mark.parametrize("subdirectory", ["nowhere", "README.md"])
def test_a_subdirectory_that_is_none(tmp_path: Path, subdirectory: str) -> None:
    (tmp_path / "README.md").write_text("")
    with pytest.raises(BuildFailed, match="has no folder"):
        check_links(tmp_path, subdirectory)


def test_a_subdirectory_may_not_leave_the_repository(tmp_path: Path) -> None:
    (tmp_path / "checkout").mkdir()
    with pytest.raises(BuildFailed):
        check_links(tmp_path / "checkout", "..")
