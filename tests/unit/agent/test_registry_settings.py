"""Settings of the registry: what follows from the repository, and what is refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from binder_federation.config.registry import RegistrySettings

REPOSITORY = "registry.example.org/binder/images"
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/binder"


@pytest.mark.parametrize(
    ("repository", "host", "name", "url"),
    [
        (REPOSITORY, "registry.example.org", "binder/images", "https://registry.example.org"),
        ("127.0.0.1:5000/b", "127.0.0.1:5000", "b", "http://127.0.0.1:5000"),
        ("localhost/b", "localhost", "b", "http://localhost"),
        ("registry:5000/b", "registry:5000", "b", "https://registry:5000"),
        ("docker.io/owner/b", "docker.io", "owner/b", "https://registry-1.docker.io"),
        ("127.example.org/b", "127.example.org", "b", "https://127.example.org"),
        (ECR, ECR.partition("/")[0], "binder", f"https://{ECR.partition('/')[0]}"),
    ],
)
def test_the_api_is_where_the_repository_is(
    repository: str, host: str, name: str, url: str
) -> None:
    settings = RegistrySettings(repository=repository)
    assert (settings.host, settings.name, settings.api_url) == (host, name, url)


def test_the_api_may_be_elsewhere() -> None:
    settings = RegistrySettings(repository="127.0.0.1:5000/b", url="http://registry.internal:5000/")
    assert settings.host == "127.0.0.1:5000"
    assert settings.api_url == "http://registry.internal:5000"


def test_without_a_repository_there_is_no_registry() -> None:
    assert RegistrySettings().repository == ""


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"repository": f"https://{REPOSITORY}"}, "without http"),
        ({"repository": f"{REPOSITORY}:latest"}, "tags are made by the agent"),
        ({"repository": f"{REPOSITORY}@sha256:0"}, "tags are made by the agent"),
        ({"repository": "binder/images"}, "a host and a name"),
        ({"repository": "registry.example.org"}, "a host and a name"),
        ({"repository": "registry.example.org/Binder"}, "lower-case"),
        ({"repository": f"{REPOSITORY}/"}, "a host and a name"),
        ({"repository": "", "credentials": "google"}, "without a repository"),
        ({"credentials": "static"}, "needs username and password"),
        ({"credentials": "static", "username": "u"}, "one of them is missing"),
        ({"credentials": "static", "password": "p"}, "one of them is missing"),
        (
            {
                "credentials": "static",
                "username": "u",
                "password": "p",
                "docker_config_file": "config.json",
            },
            "not both",
        ),
        ({"username": "u", "password": "p"}, "credentials: static"),
        ({"credentials": "google", "docker_config_file": "config.json"}, "credentials: static"),
        ({"credentials": "ecr"}, "dkr.ecr"),
        ({"bytes_limit": 1_000}, "allow_delete"),
        ({"low_water_share": 1.5}, "low_water_share"),
        ({"bytes_limit": 0, "allow_delete": True}, "bytes_limit"),
        ({"credential": "none"}, "credential"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        RegistrySettings(**{"repository": REPOSITORY, **given})


def test_the_password_is_not_shown() -> None:
    settings = RegistrySettings(
        repository=REPOSITORY, credentials="static", username="u", password="hidden-password"
    )
    assert "hidden-password" not in repr(settings)
