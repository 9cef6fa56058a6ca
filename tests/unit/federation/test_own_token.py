"""The token that a federation makes for its own machine's user."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from binder_federation.federation.own_token import ensure_token, read_token, token_file

PORT = 8099


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def test_it_is_made_once_for_its_user_alone() -> None:
    token = ensure_token(PORT)
    assert ensure_token(PORT) == read_token(PORT) == token
    assert stat.S_IMODE(token_file(PORT).stat().st_mode) == 0o600
    assert read_token(PORT + 1) == ""
    assert [each.name for each in token_file(PORT).parent.iterdir()] == [token_file(PORT).name]


def test_several_that_start_at_once_have_the_same() -> None:
    for number in range(20):
        with ThreadPoolExecutor(8) as pool:
            tokens = set(pool.map(ensure_token, [PORT + number] * 8))
        assert tokens == {read_token(PORT + number)}


@pytest.mark.parametrize(("content", "mode"), [("x" * 40, 0o666), ("short", 0o600), ("", 0o600)])
def test_a_file_that_others_could_have_written_is_not_believed(content: str, mode: int) -> None:
    file = token_file(PORT)
    file.parent.mkdir(parents=True)
    file.write_text(content)
    file.chmod(mode)
    assert read_token(PORT) == ""
    token = ensure_token(PORT)
    assert token != content
    assert read_token(PORT) == token
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_without_a_place_for_it_there_is_one_that_nobody_knows(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nowhere = tmp_path / "file"
    nowhere.write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", os.fspath(nowhere))
    assert len(ensure_token(PORT)) > 30
    assert read_token(PORT) == ""
