"""The admin token of a federation whose settings have none: made once, for this machine's user.

`binderfed serve` makes it at its first start, in a file that only its user can read; the command
`binderfed` reads it there when it asks a federation on the same machine. The file is named for the
port, since several federations may run here.
"""

import os
import secrets
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

MOST_BYTES = 500


def token_file(port: int) -> Path:
    """Where the token of the federation at this port is."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "binderfed" / f"admin-token-{port}"


def read_token(port: int) -> str:
    """The token, or empty when there is none, or it is another user's."""
    try:
        with token_file(port).open("rb") as file:
            if os.fstat(file.fileno()).st_uid != os.getuid():
                return ""
            return file.read(MOST_BYTES).decode("ascii", "ignore").strip()
    except OSError:
        return ""


def ensure_token(port: int) -> str:
    """The token, made and kept when there is none.

    Where no file can be written it is known to nobody, and the admin API answers nobody.
    """
    if kept := read_token(port):
        return kept
    token, path = secrets.token_urlsafe(32), token_file(port)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor
            file.write(f"{token}\n")
    except OSError as error:
        log.warning("admin_token_not_kept", file=str(path), reason=os.strerror(error.errno or 0))
    else:
        log.info("admin_token_made", file=str(path))
    return token
