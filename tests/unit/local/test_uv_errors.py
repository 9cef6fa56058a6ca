"""What uv printed → whose fault it is. The outputs are uv's own (0.5 to 0.13)."""

import pytest

from binder_federation.binder.errors import BuildFailed, MemberBuildFailed
from binder_federation.cluster_agent.stacks.host.tool_runs import ToolResult
from binder_federation.cluster_agent.stacks.local.uv_errors import (
    explain_uv_failure,
    is_unsolvable,
)

NOT_FOUND = """error: No solution found when resolving dependencies
  cause: Because nowhere-1 was not found in the package registry and you require nowhere-1, \
we can conclude that your requirements are unsatisfiable."""
OLD_NOT_FOUND = """  × No solution found when resolving dependencies:
  ╰─▶ Because nowhere-1 was not found in the package registry and you require
      nowhere-1, we can conclude that your requirements are unsatisfiable."""
NO_VERSION = """error: No solution found when resolving dependencies
  cause: Because there is no version of six==99.0 and you require six==99.0, we can conclude \
that your requirements are unsatisfiable."""
CONFLICT = """error: No solution found when resolving dependencies
  cause: Because jupyterlab>=4.0.0 depends on tornado>=6.2.0 and you require tornado<6, we can \
conclude that your requirements and jupyterlab>=4.0.0 are incompatible."""
WRONG_PYTHON = """error: No solution found when resolving dependencies
  cause: Because the current Python version (3.11.2) does not satisfy Python>=3.13 and x==1 \
depends on Python>=3.13, we can conclude that x==1 cannot be used."""
BUILD = """error: Failed to build `pyfoo==1.0`
  cause: The build backend returned an error"""
PARSE = """error: Couldn't parse requirement in `requirements.txt` at position 0
  cause: Expected a quoted string or a valid marker name, found `and`"""
NO_NETWORK = """error: Request failed after 3 retries in 6.4s
  cause: Failed to fetch: http://127.0.0.1:9/simple/xlrd/
  cause: error sending request for url (http://127.0.0.1:9/simple/xlrd/)
  cause: client error (Connect)
  cause: tcp connect error"""
OFFLINE = """error: No solution found when resolving dependencies
  cause: Because xlrd was not found in the cache and you require xlrd, we can conclude that \
your requirements are unsatisfiable.

hint: Packages were unavailable because the network was disabled."""
DEAD_LINK = """error: Failed to download `x @ https://gone.example/x.whl`
  cause: Failed to fetch: `https://gone.example/x.whl`
  cause: error sending request for url (https://gone.example/x.whl)
  cause: dns error"""
NO_SPACE = """error: Failed to install: numpy-2.0.whl (numpy==2.0)
  cause: failed to copy file: No space left on device (os error 28)"""


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        (NOT_FOUND, "requirements.txt needs the package nowhere-1, which does not exist."),
        (OLD_NOT_FOUND, "requirements.txt needs the package nowhere-1, which does not exist."),
        (NO_VERSION, "requirements.txt needs six==99.0, and there is no such version."),
        (CONFLICT, "The requirements in requirements.txt contradict each other;"),
        (WRONG_PYTHON, "The requirements in requirements.txt need another version of Python;"),
        (BUILD, "The package pyfoo==1.0 could not be built."),
        (PARSE, "requirements.txt has a line that is not a requirement;"),
        (DEAD_LINK, "A requirement cannot be fetched from https://gone.example/x.whl."),
        ("error: something else", "What requirements.txt asks for could not be installed;"),
    ],
)
def test_the_repositorys_fault(output: str, sentence: str) -> None:
    error = explain_uv_failure(
        ToolResult(1, output),
        file="requirements.txt",
        requirements=["x @ https://gone.example/x.whl"],
    )
    assert isinstance(error, BuildFailed)
    assert error.message.startswith(sentence)


@pytest.mark.parametrize(
    ("status", "output", "sentence"),
    [
        (2, NO_NETWORK, "The member cannot reach the package index now."),
        (1, OFFLINE, "The member cannot reach the package index now."),
        (1, DEAD_LINK, "The member cannot reach the package index now."),
        (1, NO_SPACE, "The member's disk is full."),
        (-9, "", "The installation was killed;"),
        (2, "error: unexpected", "The member's installer failed;"),
    ],
)
def test_the_members_fault(status: int, output: str, sentence: str) -> None:
    result = ToolResult(status, output)
    error = explain_uv_failure(result, file="requirements.txt", requirements=["six"])
    assert isinstance(error, MemberBuildFailed)
    assert error.message.startswith(sentence)


@pytest.mark.parametrize(
    ("output", "expected"),
    [(CONFLICT, True), (NO_VERSION, True), (NOT_FOUND, False), (BUILD, False)],
)
def test_only_a_contradiction_is_worth_another_try(output: str, expected: bool) -> None:
    assert is_unsolvable(ToolResult(1, output)) is expected
    assert not is_unsolvable(ToolResult(0, output))
