"""The documentation's site is whole: every page in it, no link into nothing, the reference true."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.reference.pages import FOLDER, make_pages

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", sorted(make_pages()))
def test_the_reference_is_what_the_code_says(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == make_pages()[name], f"{name} is old: `make docs` writes it anew"


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    built = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    pages = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.html")}
    assert {"index.html", "joining/index.html", "reference/federation-api/index.html"} <= pages


def test_the_site_fetches_nothing_from_elsewhere(tmp_path: Path) -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "font: false" in text, "fonts would come from another host"
    assert "extra_javascript" not in text
