"""The admin token of a federation whose settings have none: made once, for this machine's user.

`binderfed serve` makes it at its first start, in a file that only its user can read; the command
`binderfed` reads it there when it asks a federation on the same machine. The file is named for the
port, since several federations may run here.
"""

import errno
import os
import secrets
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

MOST_BYTES = 500
LEAST_CHARACTERS = 32


def token_file(port: int) -> Path:
    """Where the token of the federation at this port is. OSError for a user without a home."""
    state = os.environ.get("XDG_STATE_HOME")
    try:
        folder = Path(state) if state else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise FileNotFoundError(errno.ENOENT, "there is no home folder") from error
    return folder / "binderfed" / f"admin-token-{port}"


def read_token(port: int) -> str:
    """The token, or empty when there is none, or others could have written or can read it."""
    try:
        with token_file(port).open("rb") as file:
            kept = os.fstat(file.fileno())
            token = file.read(MOST_BYTES).decode("ascii", "ignore").strip()
    except OSError:
        return ""
    if kept.st_uid != os.getuid() or kept.st_mode & 0o077 or len(token) < LEAST_CHARACTERS:
        log.warning("admin_token_file_not_used", reason="others have access to it, or it is short")
        return ""
    return token


def ensure_token(port: int) -> str:
    """The token, made and kept when there is none; of several that start at once, the first one's.

    Where no file can be written it is known to nobody, and the admin API answers nobody.
    """
    if kept := read_token(port):
        return kept
    token = secrets.token_urlsafe(32)
    try:
        path = token_file(port)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor
                file.write(f"{token}\n")
            try:
                os.link(new, path)  # whole, and only if there is none
            except FileExistsError:
                if winner := read_token(port):
                    return winner
                new.replace(path)  # what stands there is of no use to anybody
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        log.warning("admin_token_not_kept", reason=os.strerror(error.errno or 0))
    else:
        log.info("admin_token_made", file=str(path))
    return token
