"""Durations and moments as operators write them."""

import argparse

import pytest

from binder_federation.federation.cli.durations import duration, moment, shown_until


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("7d", 604_800)]
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "7 d", "-1h", "0s", "1h x", "1.h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        duration(text)


def test_a_moment_without_a_zone_is_utc() -> None:
    assert moment("2026-05-04T08:00") == "2026-05-04T08:00:00+00:00"
    assert moment("2026-05-04T08:00+02:00") == "2026-05-04T08:00:00+02:00"
    with pytest.raises(argparse.ArgumentTypeError):
        moment("soon")


def test_an_end_is_told() -> None:
    assert shown_until(0.0) == "until 1970-01-01 00:00 UTC"
    assert shown_until(None) == "until it is taken back"
