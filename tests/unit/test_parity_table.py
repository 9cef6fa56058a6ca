"""docs/parity.md keeps to the facts: what it points at is there, and each row names its test."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "parity.md"
HEADER = ["What", "Where", "Shown by", "Better"]
UPSTREAM_DEFECTS = 15


def rows() -> list[list[str]]:
    """The cells of every row of the document's tables."""
    lines = DOCUMENT.read_text(encoding="utf-8").splitlines()
    cells = [_cells(line) for line in lines if line.startswith("|")]
    return [row for row in cells if row != HEADER and not set("".join(row)) <= set("-: ")]


def _cells(line: str) -> list[str]:
    return [cell.replace("\\|", "|").strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@cache
def _functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


def named_tests(cell: str) -> list[str]:
    """The tests in a cell: `service/agent/test_edges.py::test_…`, or a whole file."""
    return re.findall(r"`([\w/]+\.py(?:::\w+)?)`", cell)


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0][:40])
def test_a_row_points_at_what_is_there(row: list[str]) -> None:
    assert len(row) == len(HEADER), f"{row[0]!r} has {len(row)} cells"
    _, where, shown_by, _ = row
    tests = named_tests(shown_by)
    assert tests, f"no test is named for {row[0]!r}"
    for each in tests:
        name, _, function = each.partition("::")
        path = ROOT / "tests" / name
        assert path.is_file(), f"there is no {path.relative_to(ROOT)}"
        if function:
            assert function in _functions(path), f"{name} has no {function}"
    for path_text in re.findall(r"`([\w./-]+/[\w./-]*)`", where):
        found = (ROOT / path_text, ROOT / "binder_federation" / path_text)
        assert any(place.exists() for place in found), f"there is no {path_text}"


def test_each_defect_has_its_row() -> None:
    numbers = {int(match[1]) for row in rows() if (match := re.match(r"(\d+)\. ", row[0]))}
    assert numbers == set(range(1, UPSTREAM_DEFECTS + 1))
