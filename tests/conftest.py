"""For all tests: with BINDERFED_SKIP_NOTHING=1 a run that skipped something has failed."""

import os

import pytest

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember what was skipped."""
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Turn a run with skipped tests into a failed one, where that is asked for."""
    if _skipped and exitstatus == 0 and os.environ.get("BINDERFED_SKIP_NOTHING") == "1":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say why the run failed."""
    if _skipped and os.environ.get("BINDERFED_SKIP_NOTHING") == "1":
        terminalreporter.write_line(f"{len(_skipped)} tests were skipped, and none may be:")
        for nodeid in _skipped:
            terminalreporter.write_line(f"  {nodeid}")
