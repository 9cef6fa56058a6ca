"""What the home page is told of each provider works as BinderHub's front end uses it."""

from typing import Any

import httpx
import pytest

from binder_federation.binder.providers import Repositories, make_providers
from binder_federation.binder.spec import LaunchSpec
from binder_federation.config.providers import ProviderSettings
from tests.support.provider_displays import check_displays, launch_path

# Nothing is asked in this module: the client opens no connection.
REPOSITORIES = Repositories(make_providers(ProviderSettings(), httpx.AsyncClient()))
DISPLAYS: dict[str, Any] = {display["id"]: display for display in REPOSITORIES.displays()}


def test_all_have_binderhubs_shape() -> None:
    check_displays(REPOSITORIES.displays())


PASTED = [
    ("gh", "ada/engine", "ada/engine"),
    ("gh", "https://github.com/ada/engine", "ada/engine"),
    ("gh", "https://www.github.com/ada/engine.git", "ada/engine"),
    ("gh", "https://github.com/ada/engine/", "ada/engine"),
    ("gist", "ada/0123abcd", "ada/0123abcd"),
    ("gist", "https://gist.github.com/ada/0123abcd", "ada/0123abcd"),
    ("gist", "https://gist.github.com/ada/0123abcd.git", "ada/0123abcd"),
    ("gist", f"https://gist.github.com/ada/0123abcd/{'f' * 40}", "ada/0123abcd"),
    ("gl", "group/engine", "group/engine"),
    ("gl", "https://gitlab.com/group/sub/engine.git", "group/sub/engine"),
    ("gl", "https://gitlab.com/group/sub/engine/-/tree/main/a", "group/sub/engine"),
    ("bitbucket", "team/engine", "team/engine"),
    ("bitbucket", "https://bitbucket.org/team/engine", "team/engine"),
    ("bitbucket", "https://ada@bitbucket.org/team/engine.git", "team/engine"),
    ("bitbucket", "https://bitbucket.org/team/engine/src/main/", "team/engine"),
    ("git", "https://example.org/a/b.git", "https://example.org/a/b.git"),
    ("git", "git@example.org:team/engine.git", "git@example.org:team/engine.git"),
]


@pytest.mark.parametrize(("provider", "pasted", "repository"), PASTED)
@pytest.mark.parametrize("ref", ["", "feature/x"])
def test_what_is_pasted_can_be_launched(
    provider: str, pasted: str, repository: str, ref: str
) -> None:
    ref = "" if provider == "gist" else ref
    path = launch_path(DISPLAYS[provider], pasted, ref)
    assert path, f"the form would wait for more than {pasted}"
    assert REPOSITORIES.parse(path) == LaunchSpec(provider, repository, ref or "HEAD")


@pytest.mark.parametrize(
    ("provider", "pasted"),
    [
        ("gh", "https://gitlab.com/ada/engine"),
        ("gh", "https://github.com/ada"),
        ("gh", "ada"),
        ("gl", "https://github.com/ada/engine"),
        ("gl", "https://gitlab.com/group"),
        ("bitbucket", "https://github.com/ada/engine"),
        ("gist", "https://github.com/ada/engine"),
    ],
)
def test_what_is_another_providers_is_not_taken(provider: str, pasted: str) -> None:
    assert launch_path(DISPLAYS[provider], pasted) is None


def test_the_hosts_of_the_settings_are_detected() -> None:
    settings = ProviderSettings.model_validate(
        {
            "github": {"url": "https://git.example.org"},
            "gitlab": {"url": "https://gitlab.example.org:8443"},
        }
    )
    providers = make_providers(settings, httpx.AsyncClient())
    for provider, address in [
        ("gh", "https://git.example.org/ada/engine"),
        ("gl", "https://gitlab.example.org:8443/ada/engine"),
    ]:
        assert launch_path(providers[provider].display, address), address
        assert launch_path(DISPLAYS[provider], address) is None
