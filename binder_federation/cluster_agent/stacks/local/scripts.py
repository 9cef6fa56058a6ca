"""A repository's own scripts, `postBuild` and `start`: made executable, and checked."""

import shutil
import stat
from pathlib import Path

from binder_federation.binder.errors import BuildFailed

_MAX_FIRST_LINE = 256


def make_executable(content: Path, script: str) -> list[str]:
    """The command that runs `script`, made executable as repo2docker does.

    A script that names no interpreter is run by bash, which is what a shell does with
    it. Raises `BuildFailed` when the interpreter that it names is not there.
    """
    path = content / script
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    with path.open("rb") as file:
        first_line = file.readline(_MAX_FIRST_LINE)
    if first_line.startswith(b"\x7fELF"):
        return [str(path)]
    if not first_line.startswith(b"#!"):
        return ["/bin/bash", str(path)]
    if first_line.endswith(b"\r\n"):
        raise BuildFailed(
            f"{script} has Windows line ends, and Linux cannot run it.",
            advice="Save it with Unix line ends (LF).",
        )
    interpreter = first_line[2:].decode("utf-8", "replace").split()
    if not interpreter or shutil.which(interpreter[0]) is None:
        raise BuildFailed(
            f"{script} begins with {first_line.decode('utf-8', 'replace').strip()!r}, "
            "which is not on this member."
        )
    return [str(path)]
