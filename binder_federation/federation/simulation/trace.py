"""A trace: who launched what when, to the minute.

A CSV file (also gzipped) with the columns `minute`, `repository` and `spec`, the last two
numbers or names that mean nothing here. Lines must be in time order. Or a launch event log
(`launch_lines.py`).
"""

import csv
import gzip
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from binder_federation.federation.simulation.launch_lines import read_launch_lines
from binder_federation.federation.simulation.settings import SimulationError

COLUMNS = ("minute", "repository", "spec")
MINUTES_A_DAY = 1440


@dataclass(frozen=True, slots=True)
class Trace:
    """Launches in time order: three columns of one length. Ids count from 0."""

    name: str
    minutes: "array[int]"
    repositories: "array[int]"
    specs: "array[int]"

    def __len__(self) -> int:
        return len(self.minutes)

    @property
    def days(self) -> float:
        """From the first minute to the last."""
        return (self.minutes[-1] + 1) / MINUTES_A_DAY

    def first_days(self, days: float) -> "Trace":
        """The trace's beginning."""
        end = sum(1 for minute in self.minutes if minute < days * MINUTES_A_DAY)
        return Trace(self.name, self.minutes[:end], self.repositories[:end], self.specs[:end])


def make_trace(name: str, rows: Iterable[tuple[int, str, str]]) -> Trace:
    """A trace from rows of minute, repository and spec. The first row's minute becomes 0."""
    minutes, repositories, specs = array("l"), array("l"), array("l")
    repository_ids: dict[str, int] = {}
    spec_ids: dict[tuple[str, str], int] = {}
    for minute, repository, spec in rows:
        if minutes and minute < minutes[-1]:
            raise SimulationError(f"{name} is not in time order: minute {minute} comes late.")
        minutes.append(minute)
        repositories.append(repository_ids.setdefault(repository, len(repository_ids)))
        specs.append(spec_ids.setdefault((repository, spec), len(spec_ids)))
    if not minutes:
        raise SimulationError(f"{name} has no launches.")
    if minutes[0]:
        minutes = array("l", (minute - minutes[0] for minute in minutes))
    return Trace(name, minutes, repositories, specs)


def read_trace(path: Path) -> Trace:
    """Read a trace's file; raises `SimulationError` with a sentence about what is wrong."""
    try:
        with _open(path) as file:
            return make_trace(path.name, _rows(path, file))
    except (OSError, EOFError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not a text file, or damaged"
        raise SimulationError(f"{path} cannot be read: {why}.") from error


@contextmanager
def _open(path: Path) -> Iterator[TextIO]:
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
            yield file
    else:
        with path.open(encoding="utf-8", newline="") as file:
            yield file


def _rows(path: Path, file: TextIO) -> Iterator[tuple[int, str, str]]:
    beginning = file.read(1)
    file.seek(0)
    if beginning == "{":
        yield from _launch_lines(path, file)
        return
    reader = csv.reader(file)
    if tuple(next(reader, ())) != COLUMNS:
        raise SimulationError(f"{path} must begin with the line {','.join(COLUMNS)}.")
    for number, row in enumerate(reader, start=2):
        try:
            minute, repository, spec = row
            yield int(minute), repository, spec
        except ValueError as error:
            raise SimulationError(
                f"{path}, line {number}: a minute, a repository and a spec are needed."
            ) from error


def _launch_lines(path: Path, file: TextIO) -> list[tuple[int, str, str]]:
    try:
        return read_launch_lines(file)
    except ValueError as error:
        raise SimulationError(
            f"{path}, {error}: a timestamp, a provider and a spec are needed."
        ) from error
