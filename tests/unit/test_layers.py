"""The layers hold, as import-linter sees them, and its contracts see everything."""

from importlib import import_module
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

REPOSITORY = Path(__file__).parents[2]
PURE = [
    "binder_federation.federation.core",
    "binder_federation.cluster_agent.core",
    "binder_federation.health.state",
    "binder_federation.health.outliers",
    "binder_federation.health.suspicion",
    "binder_federation.health.votes",
]


def test_layers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(REPOSITORY)
    status = lint_imports(
        config_filename=str(REPOSITORY / "pyproject.toml"), no_cache=True, is_debug_mode=False
    )
    assert status == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", PURE)
def test_what_is_kept_pure_is_there(name: str) -> None:
    assert import_module(name).__doc__, f"{name} says nothing about itself"
