"""The provider that the documents show works as it stands there, from a package of its own."""

import re
import sys
from pathlib import Path

import httpx
import pytest

from binder_federation.binder.providers import Repositories, make_providers
from binder_federation.binder.providers.base import GitSource, Missing, Resolved
from binder_federation.binder.providers.git_commands import run_git
from binder_federation.config.providers import ProviderSettings
from tests.support.git_server import GitServer
from tests.support.provider_displays import check_displays, launch_path

PAGE = Path(__file__).parents[3] / "docs" / "providers.md"


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"docs/providers.md has no example in {language}"
    return found[1]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented module and entry point, as pip leaves an installed package."""
    group, _, entry_point = block("toml").partition("\n")
    metadata = tmp_path / "binder_codeberg-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: binder-codeberg\nVersion: 1\n")
    name = group.removeprefix('[project.entry-points."').removesuffix('"]')
    (metadata / "entry_points.txt").write_text(f"[{name}]\n{entry_point.replace(chr(34), '')}")
    (tmp_path / "binder_codeberg.py").write_text(block("python"))
    monkeypatch.delitem(sys.modules, "binder_codeberg", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("package")
async def test_the_documented_provider(
    git_server: GitServer, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    commit = git_server.create("ada/engine").branch("feature/x", {"x": "1"})
    settings = ProviderSettings.model_validate(
        {"enabled": ["gh", "codeberg"], "further": {"codeberg": {"url": git_server.url}}}
    )
    repositories = Repositories(make_providers(settings, client))
    codeberg = repositories.providers["codeberg"]

    check_displays(repositories.displays())
    path = launch_path(codeberg.display, "https://codeberg.org/ada/engine", "feature/x")
    assert path == "codeberg/ada%2Fengine/feature/x"
    spec = repositories.parse(path)
    assert repositories.format(spec) == "ada%2Fengine/feature/x"
    assert await codeberg.resolve(spec, None) == Resolved(commit)
    assert isinstance(await codeberg.resolve(spec.at("none"), None), Missing)
    source = await codeberg.source(spec)
    assert isinstance(source, GitSource)
    arguments = ["clone", "-q", source.url, str(tmp_path / "clone")]
    assert (await run_git(arguments, source=source, deadline_seconds=20)).is_ok
