"""The process that renders strangers' files: `python -m …previews.worker`.

It reads a name and a content from its standard input, writes HTML to its standard output,
and begins again. Its memory is bounded, its environment is empty (`renderers.py`), and it
ends when it has had nothing to do for a while, or with the federation.
"""

import os
import resource
import signal
import struct
import sys
from typing import BinaryIO

from binder_federation.runtime.processes import die_with_parent

REQUEST = struct.Struct(">II")
"""Lengths of the name and of the content, which follow."""
ANSWER = struct.Struct(">BI")
"""Whether it could be rendered, and the length of the HTML, which follows."""
MOST_MEMORY_BYTES = 1 << 30
IDLE_SECONDS = 300


def main() -> None:
    """Render what is asked for, until there is nothing more."""
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Libraries may print: only answers go to the pipe.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    while _serve_one(sys.stdin.buffer, answers):
        pass


def _serve_one(requests: BinaryIO, answers: BinaryIO) -> bool:
    signal.alarm(IDLE_SECONDS)
    head = requests.read(REQUEST.size)
    signal.alarm(0)
    if len(head) < REQUEST.size:
        return False
    name_length, content_length = REQUEST.unpack(head)
    name = requests.read(name_length).decode("utf-8")
    html = _render(name, requests.read(content_length))
    answers.write(ANSWER.pack(html is not None, len(html or b"")) + (html or b""))
    answers.flush()
    return True


def _render(name: str, content: bytes) -> bytes | None:
    # Here and not above: importing takes a second, and the parent imports this module's formats.
    from binder_federation.federation.previews.notebook_html import CannotRender, render

    try:
        return render(name, content).encode("utf-8", errors="replace")
    except CannotRender:
        return None


if __name__ == "__main__":
    main()
