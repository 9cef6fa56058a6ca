"""Which program a server's container runs: tried with the image's shell, on what it finds."""

import subprocess
from pathlib import Path

import pytest

from binder_federation.cluster_agent.stacks.containers.server_command import server_command


@pytest.mark.parametrize(
    ("programs", "runs"),
    [
        (["jupyter-lab", "jupyter-notebook"], "jupyter-lab"),
        (["jupyter-notebook"], "jupyter-notebook"),
    ],
)
def test_jupyterlab_or_else_the_classic_notebook(
    tmp_path: Path, programs: list[str], runs: str
) -> None:
    for name in programs:
        program = tmp_path / name
        program.write_text('#!/bin/sh\necho "${0##*/} $*"\n', encoding="utf-8")
        program.chmod(0o755)
    shell, *arguments = server_command(port=8888, base_url="/user/ada/", may_be_root=False)

    ran = subprocess.run(
        [f"/bin/{shell}", *arguments],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert ran.startswith(f"{runs} ")
    assert "--ServerApp.base_url=/user/ada/" in ran
    assert ("default_url=/lab" in ran) is (runs == "jupyter-lab")
