"""When images were launched: kept over restarts, written seldom, never in the way."""

import json
from pathlib import Path

import pytest

from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.registry.last_used import LastUsed
from tests.support.registry_clients import Clock

KEY, OTHER = ImageKey("a" * 32), ImageKey("b" * 32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "last-used.json"


async def load(path: Path, clock: Clock) -> LastUsed:
    made = LastUsed(path=path, clock=clock)
    await made.load()
    return made


async def test_what_was_noted_is_known_after_a_restart(path: Path) -> None:
    clock = Clock()
    last_used = await load(path, clock)
    assert last_used.when(KEY, made_at=5.0) == 5.0
    last_used.note(KEY)
    await last_used.aclose()
    noted_at = clock.now
    clock.now += 1000
    again = await load(path, clock)
    assert again.when(KEY, made_at=5.0) == noted_at
    assert again.when(OTHER, made_at=5.0) == 5.0
    assert again.when(KEY, made_at=noted_at + 1) == noted_at + 1, "it was made anew since"


async def test_the_file_is_written_once_a_minute(path: Path) -> None:
    clock = Clock()
    last_used = await load(path, clock)
    for _ in range(3):
        last_used.note(KEY)
        await last_used.save_if_due()
    assert not path.exists()
    clock.now += 61
    await last_used.save_if_due()
    assert json.loads(path.read_text()) == {KEY: clock.now - 61}
    last_used.note(OTHER)
    await last_used.save_if_due()
    assert OTHER not in json.loads(path.read_text())
    await last_used.aclose()
    assert OTHER in json.loads(path.read_text())


async def test_nothing_new_is_not_written(path: Path) -> None:
    clock = Clock()
    last_used = await load(path, clock)
    clock.now += 61
    await last_used.save_if_due()
    await last_used.aclose()
    assert not path.exists()


async def test_a_clock_that_was_set_back_does_not_stop_writing(path: Path) -> None:
    clock = Clock()
    last_used = await load(path, clock)
    last_used.note(KEY)
    clock.now -= 86_400
    await last_used.save_if_due()
    assert path.exists()


async def test_images_that_are_gone_are_forgotten(path: Path) -> None:
    last_used = await load(path, Clock())
    last_used.note(KEY)
    last_used.note(OTHER)
    last_used.keep_only([OTHER])
    await last_used.aclose()
    assert list(json.loads(path.read_text())) == [OTHER]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"a": "yesterday"}', '{"a": NaN}', '{"a": Infinity}', "\udcff"]
)
async def test_a_broken_file_is_as_good_as_none(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_bytes(content.encode(errors="surrogateescape"))
    last_used = await load(path, Clock())
    assert last_used.when(ImageKey("a"), made_at=5.0) == 5.0
    last_used.note(KEY)
    await last_used.aclose()
    assert list(json.loads(path.read_text())) == [KEY]


async def test_a_folder_that_cannot_be_written_costs_no_launch(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    clock = Clock()
    last_used = await load(tmp_path / "state" / "last-used.json", clock)
    last_used.note(KEY)
    await last_used.aclose()
    assert last_used.when(KEY, made_at=5.0) == clock.now
    (tmp_path / "state").unlink()
    await last_used.aclose()
    assert (tmp_path / "state" / "last-used.json").exists(), "it was not tried again"
