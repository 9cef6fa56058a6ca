"""Why a server did not start, as the spawner's words say it: no room, or an end of its own.

The spawner lives in the hub's process; what it raises reaches the agent as a sentence in
the hub's account of the start. Kubernetes itself says "exceeded quota" when a pod is
refused for the namespace's ResourceQuota, and a hub that is not ours passes that on.
"""

import re

NO_ROOM = "The cluster has no room for another server"
_WORDS = (NO_ROOM.lower(), "exceeded quota")

NOT_FOUND = 127
"""The exit code of a shell that finds no such program; 126: it cannot be run."""
_STOPPED = "The server stopped while it started (exit code {})"
_EXIT_CODE = re.compile(re.escape(_STOPPED).replace(r"\{\}", r"(\d+)"))
_FIRST_SIGNAL = 128
_NO_PROGRAM = re.compile(
    r"executable file not found|exec format error|unable to find (?:user|group)"
    r"|exec: .*(?:no such file or directory|permission denied|is a directory)",
    re.IGNORECASE | re.DOTALL,
)


def is_for_want_of_room(message: str) -> bool:
    """Whether a start failed because nothing more fits, not because something is wrong."""
    return any(words in message.lower() for words in _WORDS)


def has_stopped(exit_code: int | str) -> str:
    """The sentence for a server that ended by itself before it answered."""
    return f"{_STOPPED.format(exit_code)}."


def own_exit_code(message: str) -> int | None:
    """What a server ended with by itself; None when it did not, or was ended by a signal."""
    found = _EXIT_CODE.search(message)
    code = int(found[1]) if found else _FIRST_SIGNAL
    return code if code < _FIRST_SIGNAL else None


def has_no_program(message: str) -> bool:
    """Whether the engine's words on a container that it could not start mean that the image has
    no shell, none for this machine, or not the user that it names."""
    return bool(_NO_PROGRAM.search(message))
