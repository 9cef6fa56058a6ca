"""When a server was last used, and whether its time is over."""

from typing import Any

import pytest

from binder_federation.cluster_agent.core.idleness import (
    Ending,
    KernelUse,
    ServerUse,
    SessionLimits,
    find_ending,
    last_use,
)

NOW = 100_000.0
LIMITS = SessionLimits(idle_seconds=600, max_age_seconds=21_600, without_kernels_seconds=3600)


def kernel(seconds_ago: float, *, busy: bool = False, connections: int = 0) -> KernelUse:
    return KernelUse(last_activity=NOW - seconds_ago, is_busy=busy, connections=connections)


def use(**fields: Any) -> ServerUse:
    return ServerUse(**{"requests": NOW, **fields})


@pytest.mark.parametrize(
    ("given", "seconds_ago"),
    [
        (use(kernels=[kernel(700, connections=1)]), 700),
        (use(kernels=[kernel(700, busy=True, connections=1)]), 0),
        (use(kernels=[kernel(700, busy=True)]), 700),
        (use(kernels=[kernel(700), kernel(20)]), 20),
        (use(terminals=[NOW - 800, NOW - 30]), 30),
        (use(kernels=[kernel(900)], terminals=[NOW - 40]), 40),
        (use(kernels=[kernel(-1e12)]), 0),
        (use(terminals=[NOW + 1e12]), 0),
        (use(requests=NOW + 1e12, has_applications=True), 0),
        (use(requests=-1e12, has_applications=True), 5000),
        (use(), 1400),
        (use(has_applications=True), 0),
        (use(requests=NOW - 4000), 4000),
    ],
    ids=[
        "an open tab with a notebook that nobody runs",
        "a browser waits for a computation",
        "a computation that nobody waits for",
        "the latest of two kernels",
        "the latest of two terminals",
        "a terminal beside an old kernel",
        "a kernel used in the future",
        "a terminal used in the future",
        "a request in the future",
        "a request long before its visitor",
        "an open tab without a kernel",
        "an application behind it",
        "no kernel, no requests",
    ],
)
def test_last_use(given: ServerUse, seconds_ago: float) -> None:
    found = last_use(given, since=NOW - 5000, limits=LIMITS, now=NOW)

    assert NOW - found == pytest.approx(seconds_ago)


@pytest.mark.parametrize(
    ("age", "idle", "ending"),
    [
        (599, 599, None),
        (600, 600, Ending.IDLE),
        (21_599, 0, None),
        (21_600, 0, Ending.TOO_OLD),
    ],
)
def test_endings(age: float, idle: float, ending: Ending | None) -> None:
    found = find_ending(started=NOW - age, last_used=NOW - idle, limits=LIMITS, now=NOW)

    assert found is ending
