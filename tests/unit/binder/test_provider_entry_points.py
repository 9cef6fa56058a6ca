"""Providers of other packages: found by their entry points, or a clear word at the start."""

import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from binder_federation.binder.providers import BUILT_IN, Providers, make_providers
from binder_federation.config.load import ConfigurationError
from binder_federation.config.providers import ProviderSettings

MODULE = """
from binder_federation.binder.providers.github import GitHubProvider

class Shelf(GitHubProvider):
    id = {id!r}

def make(parts):
    return Shelf(settings=parts.settings.github, api=dict(parts.own_settings)["host"])
"""
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a distribution where Python finds it, as pip leaves one."""

    def install_package(
        package: str, entry_point: str, *, module: str = MODULE.format(id="shelf")
    ) -> None:
        root = tmp_path / package
        metadata = root / f"{package}-1.0.dist-info"
        metadata.mkdir(parents=True)
        (root / f"{package}.py").write_text(module)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
        (metadata / "entry_points.txt").write_text(
            f"[binder_federation.providers]\n{entry_point}\n"
        )
        monkeypatch.delitem(sys.modules, package, raising=False)
        monkeypatch.syspath_prepend(str(root))

    return install_package


def make(**settings: object) -> Providers:
    return make_providers(ProviderSettings.model_validate(settings), httpx.AsyncClient())


def test_a_provider_of_another_package(install: Install) -> None:
    install("binder_shelf", "shelf = binder_shelf:make")
    providers = make(enabled=["git", "shelf", "gh"], further={"shelf": {"host": "example.org"}})
    assert list(providers) == ["git", "shelf", "gh"]
    assert providers["shelf"].parse("ada/engine/HEAD").provider == "shelf"


def test_what_is_installed_is_not_enabled_by_that(install: Install) -> None:
    install("binder_broken", "broken = binder_broken:nothing_here")
    assert list(make()) == list(BUILT_IN)


@pytest.mark.parametrize(
    ("entry_point", "module", "words"),
    [
        ("shelf = shelf_gone:make", "", "provider shelf of binder_x (shelf_gone:make) cannot be"),
        ("shelf = binder_x:gone", "", "cannot be loaded: AttributeError"),
        ("shelf = binder_x:make", "raise OSError('no disk')", "OSError: no disk"),
        ("shelf = binder_x:make", "make = 7", "is no factory"),
        ("shelf = binder_x:make", "def make(parts): return parts.own_settings['x']", "'x'"),
        ("shelf = binder_x:make", "def make(parts): return None", "the provider cannot be made"),
        ("shelf = binder_x:make", MODULE.format(id="gh"), "shelf calls itself 'gh'"),
        ("gh = binder_x:make", MODULE.format(id="gh"), "gh is built in, and binder_x offers it"),
    ],
)
def test_a_broken_one_ends_the_start_with_a_sentence(
    install: Install, entry_point: str, module: str, words: str
) -> None:
    install("binder_x", entry_point, module=module)
    further = {} if entry_point.startswith("gh") else {"shelf": {"host": "example.org"}}
    with pytest.raises(ConfigurationError) as caught:
        make(enabled=["gh", "shelf"] if further else ["gh"], further=further)
    assert words in caught.value.message


def test_two_packages_with_one_id(install: Install) -> None:
    install("binder_one", "shelf = binder_one:make")
    install("binder_two", "shelf = binder_two:make")
    with pytest.raises(ConfigurationError, match="offered twice, by binder_one and binder_two"):
        make(enabled=["shelf"])


def test_an_id_that_a_link_cannot_hold(install: Install) -> None:
    install("binder_odd", "a/b = binder_odd:make")
    with pytest.raises(ConfigurationError, match="cannot be the id"):
        make(enabled=["a/b"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"enabled": ["gh", "nope"]}, "there is no provider 'nope'; there are"),
        ({"further": {"shelf": {}}}, "providers.further.shelf: there is no provider shelf"),
        ({"further": {"gh": {}}}, "providers.further.gh: there is no provider gh of another"),
    ],
)
def test_mistakes_in_the_settings(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make(**settings)
    assert words in caught.value.message


def test_only_some_in_an_order_of_ones_own() -> None:
    assert list(make(enabled=["git", "gh"])) == ["git", "gh"]
