"""The places of the launch event log that come with it."""

import json
import logging
from logging.handlers import TimedRotatingFileHandler
from pathlib import Path

import pytest

from binder_federation.binder.launch_events.places import make_handlers
from binder_federation.config.launch_events import LaunchEventSettings
from tests.support.fake_member import FakeMember
from tests.support.federation_server import running_federation


async def test_lines_go_to_standard_output_for_whoever_collects_that(
    alpha: FakeMember, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running_federation([alpha], launch_events={"stdout": True}) as federation:
        await federation.launch()
    written = [
        json.loads(line) for line in capsys.readouterr().out.splitlines() if "version" in line
    ]

    assert [line["schema"] for line in written] == ["binderhub.jupyter.org/launch"]


def test_a_new_file_begins_each_day_and_only_so_many_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "launches.jsonl"
    for day in range(1, 5):
        (tmp_path / f"launches.jsonl.2026-01-0{day}").touch()
    (handler,) = make_handlers(LaunchEventSettings(file=file, rotate="daily", kept_files=2))
    assert isinstance(handler, TimedRotatingFileHandler)
    handler.rolloverAt = 0

    handler.emit(logging.makeLogRecord({"msg": "the first line of a day"}))
    handler.close()

    assert file.read_text() == "the first line of a day\n"
    older = sorted(each.name for each in tmp_path.iterdir() if each != file)
    assert len(older) == 2, f"two older files are kept, there are {older}"
    assert "launches.jsonl.2026-01-01" not in older
