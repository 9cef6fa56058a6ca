"""Prometheus' own tools: what they say of rules, and of what they would do with series."""

import shutil
import subprocess
from pathlib import Path

import pytest

TIMEOUT_SECONDS = 120


def find_binary(name: str) -> str:
    """`promtool` or `prometheus`; the test is skipped, visibly, where there is none."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} on this machine (Debian's package prometheus has it)")
    return found


def promtool(*arguments: str, folder: Path) -> tuple[bool, str]:
    """Whether it was content, and what it wrote."""
    done = subprocess.run(
        [find_binary("promtool"), *arguments],
        cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False,
    )  # fmt: skip
    return done.returncode == 0, done.stdout + done.stderr
