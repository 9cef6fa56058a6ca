"""What is shown of a tool's output: all of it, up to a point; then its end, which says why."""

import os
import sys
from pathlib import Path

from binder_federation.cluster_agent.stacks.host.tool_runs import run_tool


async def shown(program: str, cwd: Path) -> list[str]:
    """The lines that people see of a Python program's output."""
    lines: list[str] = []
    variables = {"PATH": os.defpath}
    command = [sys.executable, "-I", "-c", program]
    await run_tool(command, cwd=cwd, variables=variables, on_line=lines.append)
    return lines


async def test_the_end_of_a_huge_log_is_shown(tmp_path: Path) -> None:
    lines = await shown("for n in range(25_000): print(n)\nprint('why it failed')", tmp_path)
    assert lines[:20_000] == [str(n) for n in range(20_000)]
    assert lines[-1] == "why it failed", "the log was cut where it says what went wrong"
    assert len(lines) == 20_102
    assert "4,901 lines are not shown" in lines[20_001]


async def test_a_log_that_is_little_too_long_is_shown_whole(tmp_path: Path) -> None:
    lines = await shown("for n in range(20_003): print(n)", tmp_path)
    assert lines[20_001:] == ["20000", "20001", "20002"]


async def test_binary_output_and_endless_lines_are_shown_in_part(tmp_path: Path) -> None:
    program = (
        "import sys; out = sys.stdout.buffer; out.write(b'\\xff\\x00\\x1b[31m\\n');"
        "out.write(b'x' * 3_000_000 + b'\\n'); out.write(b'10%\\r90%\\nend')"
    )
    first, long, *rest = await shown(program, tmp_path)
    assert first == "\ufffd\x00\x1b[31m"
    assert len(long) <= 4096
    assert rest == ["90%", "end"]
