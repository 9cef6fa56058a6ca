"""What a benchmark found: rows for a table, and the same as JSON for later comparison."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

WIDTH_OF_A_FILE = 140


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `yardstick` is the same of the thing it is compared with, in `unit`."""

    name: str
    value: float
    unit: str
    yardstick: float | None = None
    ratio: float | None = None
    target: str = ""
    holds: bool | None = None
    """Whether the target is met; None where there is none."""


def row_from(fields: Mapping[str, Any]) -> Row:
    """A row from a dict with the same names; others are left out."""
    names = Row.__dataclass_fields__
    return Row(**{name: value for name, value in fields.items() if name in names})


def print_table(results: Mapping[str, Sequence[Row]]) -> None:
    """All rows, by benchmark."""
    table = Table(box=None, header_style="bold")
    for heading in ("Benchmark", "Figure", "Value", "Yardstick", "Ratio", "Target", ""):
        numeric = heading in ("Value", "Yardstick", "Ratio")
        table.add_column(heading, justify="right" if numeric else "left")
    for benchmark, rows in results.items():
        for row in rows:
            table.add_row(benchmark, row.name, *_figures(row), row.target, _mark(row))
        table.add_section()
    console = Console()
    console = console if console.is_terminal else Console(width=WIDTH_OF_A_FILE)
    console.print(table)


def write_json(path: Path, results: Mapping[str, Sequence[Row]], *, is_quick: bool) -> None:
    """Write the rows with what they were measured on."""
    body = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "quick": is_quick,
        "machine": {
            "cores": os.cpu_count(),
            "architecture": platform.machine(),
            "python": platform.python_version(),
            "load_average": os.getloadavg(),
        },
        "results": {name: [asdict(row) for row in rows] for name, rows in results.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")


def _figures(row: Row) -> tuple[str, str, str]:
    yardstick = "" if row.yardstick is None else f"{_number(row.yardstick)} {row.unit}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return f"{_number(row.value)} {row.unit}", yardstick, ratio


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _mark(row: Row) -> str:
    if row.holds is None:
        return ""
    return "[green]holds[/]" if row.holds else "[red]does not hold[/]"
