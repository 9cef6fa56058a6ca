"""The harness of the benchmarks: ratios by round, bounds, files; no benchmark runs here."""

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import MODULES, make_parser
from benchmarks.load import get_request
from benchmarks.rounds import Pairs, percentile
from benchmarks.rows import Row, print_table, row_from, write_json


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    pairs = Pairs([(6.0, 10.0), (3.0, 4.0), (8.0, 10.0)])
    row = pairs.row("x", float, "/s", at_least=0.7)

    assert (row.value, row.yardstick) == (6.0, 10.0)
    assert row.ratio == 0.75, "the median of 0.6, 0.75 and 0.8, not 6 / 10"
    assert row.holds is True
    assert pairs.row("x", float, "/s", at_least=0.76).holds is False
    assert pairs.row("x", float, "/s", at_most=0.75).holds is True
    assert pairs.row("x", float, "/s", at_most=0.74).holds is False
    assert pairs.row("x", float, "/s").holds is None


@pytest.mark.parametrize(("share", "value"), [(0.0, 0.0), (0.5, 50.0), (0.99, 99.0), (1.0, 99.0)])
def test_a_percentile_is_one_of_the_values(share: float, value: float) -> None:
    assert percentile([float(number) for number in range(99, -1, -1)], share) == value


def test_rows_are_written_with_what_they_were_measured_on(tmp_path: Path) -> None:
    row = row_from({"name": "x", "value": 1.0, "unit": "s", "holds": False, "other": "ignored"})
    file = tmp_path / "folder" / "bench.json"

    write_json(file, {"redis": [row]}, is_quick=True)

    body = json.loads(file.read_text())
    assert body["quick"] is True
    assert body["machine"]["cores"] > 0
    assert body["results"]["redis"] == [
        {
            "name": "x",
            "value": 1.0,
            "unit": "s",
            "yardstick": None,
            "ratio": None,
            "target": "",
            "holds": False,
        }
    ]


def test_the_table_says_what_does_not_hold(capsys: pytest.CaptureFixture[str]) -> None:
    print_table({"redis": [Row("bytes", 70.0, "B", target="<= 60 B", holds=False)]})

    assert "does not hold" in " ".join(capsys.readouterr().out.split())


def test_only_known_benchmarks_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert make_parser().parse_args(["--only", "redis, relay"]).only == ["redis", "relay"]
    assert make_parser().parse_args([]).only == list(MODULES)
    with pytest.raises(SystemExit):
        make_parser().parse_args(["--only", "nonsense"])
    assert "there is no benchmark 'nonsense'" in capsys.readouterr().err


def test_a_request_is_what_an_event_source_sends() -> None:
    assert get_request("/build/gh/o/r/HEAD", 80).splitlines() == [
        b"GET /build/gh/o/r/HEAD HTTP/1.1",
        b"Host: 127.0.0.1:80",
        b"Accept: text/event-stream",
        b"",
    ]
