"""Traces: files that are read, and synthetic ones with the statistics of the real load."""

import gzip
from collections import Counter
from pathlib import Path

import pytest

from binder_federation.federation.simulation.settings import SimulationError
from binder_federation.federation.simulation.synthetic import make_synthetic
from binder_federation.federation.simulation.trace import MINUTES_A_DAY, make_trace, read_trace

LINES = "minute,repository,spec\n100,a,a/main\n100,b,b/main\n1540,a,a/main\n1541,a,a/other\n"


def test_reads_a_file_and_counts_from_its_first_minute(tmp_path: Path) -> None:
    path = tmp_path / "launches.csv"
    path.write_text(LINES)
    trace = read_trace(path)
    assert list(trace.minutes) == [0, 0, 1440, 1441], "the first minute is 0"
    assert list(trace.repositories) == [0, 1, 0, 0], "repositories are numbered as they come"
    assert list(trace.specs) == [0, 1, 0, 2], "specs of one repository are told apart"


def test_reads_a_gzipped_file_alike(tmp_path: Path) -> None:
    plain, packed = tmp_path / "launches.csv", tmp_path / "launches.csv.gz"
    plain.write_text(LINES)
    packed.write_bytes(gzip.compress(LINES.encode()))
    assert read_trace(packed).minutes == read_trace(plain).minutes, "both hold the same launches"


def test_first_days_are_cut_off() -> None:
    trace = make_trace("t", [(0, "a", "a"), (1439, "a", "a"), (1440, "b", "b")])
    assert len(trace.first_days(1)) == 2, "minute 1440 is in the second day"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "must begin with the line minute,repository,spec"),
        ("minute,spec\n", "must begin with the line"),
        ("minute,repository,spec\n", "has no launches"),
        ("minute,repository,spec\nx,a,b\n", "line 2: a minute, a repository and a spec"),
        ("minute,repository,spec\n1,a\n", "line 2: a minute, a repository and a spec"),
        ("minute,repository,spec\n2,a,b\n1,a,b\n", "not in time order"),
    ],
)
def test_says_what_is_wrong_with_a_file(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "launches.csv"
    path.write_text(content)
    with pytest.raises(SimulationError) as raised:
        read_trace(path)
    assert words in raised.value.message, "the sentence names the mistake"


@pytest.mark.parametrize("name", ["missing.csv", "missing.csv.gz"])
def test_a_missing_file_is_one_sentence(tmp_path: Path, name: str) -> None:
    with pytest.raises(SimulationError) as raised:
        read_trace(tmp_path / name)
    assert "cannot be read: No such file" in raised.value.message, "as the system says it"


def test_a_damaged_gzip_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "launches.csv.gz"
    path.write_bytes(gzip.compress(LINES.encode() * 50)[:60])
    with pytest.raises(SimulationError) as raised:
        read_trace(path)
    assert "cannot be read" in raised.value.message, "no foreign exception is shown"


def test_synthetic_launches_have_the_shares_of_the_real_load() -> None:
    trace = make_synthetic(days=7, seed=3)
    counts = sorted(Counter(trace.repositories).values(), reverse=True)
    total = len(trace)
    shares = {1: counts[0] / total, 10: sum(counts[:10]) / total, 1000: sum(counts[:1000]) / total}
    assert total / 7 == pytest.approx(12_843, rel=0.05), "launches a day"
    assert shares[1] == pytest.approx(0.43, abs=0.02), "the first repository"
    assert shares[10] == pytest.approx(0.73, abs=0.02), "the first ten"
    assert 0.92 <= shares[1000] <= 0.98, "the first thousand (0.93 in a year)"


def test_synthetic_launches_have_days_nights_and_news() -> None:
    trace = make_synthetic(days=7, seed=3)
    by_hour = Counter(minute // 60 % 24 for minute in trace.minutes)
    assert by_hour[14] > 1.6 * by_hour[2], "afternoons are busier than nights"
    by_day = Counter(minute // MINUTES_A_DAY for minute in trace.minutes)
    assert by_day[5] < 0.75 * by_day[1], "weekends are quieter"
    last: dict[int, int] = {}
    again = 0
    for minute, spec in zip(trace.minutes, trace.specs, strict=True):
        again += minute - last.get(spec, -1000) <= 60
        last[spec] = minute
    assert again / len(trace) == pytest.approx(0.9, abs=0.06), "most specs come again in an hour"


def test_a_seed_gives_the_same_trace_again() -> None:
    one, two, other = (make_synthetic(days=0.2, seed=seed) for seed in (1, 1, 2))
    assert (one.minutes, one.specs) == (two.minutes, two.specs), "same seed, same launches"
    assert one.minutes != other.minutes, "another seed, other launches"
