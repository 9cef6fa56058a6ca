"""Names that strangers gave to files, made into places below a folder, or refused."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from binder_federation.binder.errors import BuildFailed
from binder_federation.binder.providers.text import shown

_LONGEST_PART_BYTES = 255
_LONGEST_BYTES = 2048


def place_below(folder: Path, name: str) -> Path:
    """Where the file `name` (relative, with `/`) goes below `folder`. Raises `BuildFailed`."""
    parts = name.split("/")
    if not all(_is_part(part) for part in parts) or len(name.encode()) > _LONGEST_BYTES:
        raise BuildFailed(f"A file is named “{shown(name)}”, which no file can be named here.")
    return folder.joinpath(*parts)


def _is_part(part: str) -> bool:
    try:
        length = len(part.encode())
    except UnicodeEncodeError:
        return False
    return part not in ("", ".", "..") and "\0" not in part and length <= _LONGEST_PART_BYTES


def check_distinct(names: Iterable[str]) -> None:
    """Raise `BuildFailed` when two files have one place, or one is to be the other's folder."""
    files: set[PurePosixPath] = set()
    for name in names:
        path = PurePosixPath(name)
        if path in files:
            raise BuildFailed(f"Two files are named “{shown(name)}”.")
        files.add(path)
    for path in files:
        if any(parent in files for parent in path.parents):
            raise BuildFailed(f"“{shown(str(path))}” lies in what is a file itself.")
