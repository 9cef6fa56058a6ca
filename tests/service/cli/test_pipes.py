"""The command in a pipe whose reader has had enough."""

import os
import subprocess
import sys


def test_a_reader_that_leaves_early_gets_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "binder_federation.federation.cli.main", "version"],
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    finally:
        os.close(writing)
    assert ended.stderr == b""
    assert ended.returncode == 141, "as a shell says of SIGPIPE"
