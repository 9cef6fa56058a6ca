"""A launch event log is a trace: mybinder.org's archive of any year, and our own."""

import json
from pathlib import Path

import pytest

from binder_federation.binder.launch_events.ended import EndedLaunch
from binder_federation.federation.simulation.settings import SimulationError
from binder_federation.federation.simulation.trace import read_trace

SCHEMA = {"schema": "binderhub.jupyter.org/launch", "status": "success"}


def line(timestamp: str, provider: str, spec: str) -> str:
    return json.dumps({"timestamp": timestamp, **SCHEMA, "provider": provider, "spec": spec})


def test_lines_of_every_version_are_read_in_time_order(tmp_path: Path) -> None:
    ours = EndedLaunch(
        provider="gh",
        raw_spec="Owner/Repository/feature/x",
        resolved_ref="1" * 40,
        has_build_token=True,
        host="mybinder.org",
        request_origin="",
        member="alpha",
    ).to_json()
    file = tmp_path / "launches.jsonl"
    lines = [
        line("2018-11-03T00:02:00+00:00", "GitHub", "owner/repository/main"),  # version 1
        line("2018-11-03T00:00:59.5Z", "Git", "https%3A%2F%2Fexample.org%2Fx/HEAD"),
        json.dumps({"timestamp": "2018-11-03T00:02:01.000001Z", **SCHEMA, **ours}),
        line("2018-11-03T00:02:30Z", "Zenodo", "10.5281/zenodo.3242074"),
    ]
    file.write_text("\n".join(lines) + "\n")
    trace = read_trace(file)

    assert list(trace.minutes) == [0, 2, 2, 2]
    assert list(trace.repositories) == [0, 1, 1, 2], "the ref and the case tell none apart"
    assert list(trace.specs) == [0, 1, 2, 3]


@pytest.mark.parametrize("text", ["{}", "{", '{"timestamp": 1, "provider": "", "spec": ""}'])
def test_says_which_line_is_wrong(tmp_path: Path, text: str) -> None:
    file = tmp_path / "launches.jsonl"
    file.write_text(line("2018-11-03T00:00:00Z", "GitHub", "a/b/c") + "\n" + text)
    with pytest.raises(SimulationError) as raised:
        read_trace(file)
    assert "line 2: a timestamp, a provider and a spec" in raised.value.message
