"""Removing folders for good, whatever was done to them."""

import contextlib
import errno
import os
import shutil
import stat
from pathlib import Path


def remove_tree(path: Path) -> None:
    """Remove a folder or file, also below folders that somebody made read-only, and while
    a process that is ending still writes there."""
    for attempt in range(5):
        try:
            if path.is_symlink() or not path.is_dir():
                path.unlink(missing_ok=True)
            else:
                shutil.rmtree(path)
        except PermissionError:
            _let_us_write(path)
        except OSError as error:
            if attempt == 4 or error.errno not in (errno.ENOENT, errno.ENOTEMPTY):
                raise
        if not os.path.lexists(path):
            return
    raise PermissionError(errno.EACCES, "cannot be removed", str(path))


def _let_us_write(path: Path) -> None:
    for folder, _, _ in os.walk(path):
        with contextlib.suppress(OSError):
            Path(folder).chmod(stat.S_IRWXU)
