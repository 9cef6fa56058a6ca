"""Do events come as they happen? A proxy that holds an answer back until its end hides a launch's
progress, and lets it fail by silence.

The agent sends a few events with pauses between them (`GET /api/stream-test`). What counts is
not when the first came but whether they came apart: a slow network delays them all alike.
The same answer's Date tells of the agent's clock.
"""

import asyncio
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import httpx

from binder_federation.binder.events import StreamParser
from binder_federation.binder.joining import (
    STREAM_TEST_EVENTS,
    STREAM_TEST_PATH,
    STREAM_TEST_PAUSE_SECONDS,
    JoinCheck,
)

STREAM_NAME = "Event stream"
CLOCK_NAME = "Clock"
SPREAD = STREAM_TEST_PAUSE_SECONDS * (STREAM_TEST_EVENTS - 1)
LEAST_SPREAD_SECONDS = SPREAD / 2
CLOCK_WARN_SECONDS = 5.0
CLOCK_MOST_SECONDS = 30.0


class Heard(NamedTuple):
    """What came of a stream: when each event did, in seconds, and the answer's Date."""

    status: int
    at: tuple[float, ...] = ()
    date: str = ""
    trouble: str = ""


async def hear_stream(
    client: httpx.AsyncClient,
    url: str,
    *,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> Heard:
    """Listen to the agent's test. What goes wrong is an answer, not an error."""
    parser, at = StreamParser(), []
    try:
        async with (
            asyncio.timeout(seconds + SPREAD),
            client.stream(
                "GET",
                f"{url}{STREAM_TEST_PATH}",
                headers={"Accept": "text/event-stream"},
                timeout=seconds + SPREAD,
            ) as answer,
        ):
            date = answer.headers.get("Date", "")
            if answer.status_code != 200:
                return Heard(answer.status_code, date=date)
            async for chunk in answer.aiter_bytes():
                at += [clock()] * len(parser.feed(chunk))
                if len(at) >= STREAM_TEST_EVENTS:
                    break
            return Heard(200, tuple(at), date)
    except TimeoutError:
        return Heard(0, tuple(at), trouble="does not end in time")
    except (httpx.HTTPError, ValueError):
        return Heard(0, tuple(at), trouble="breaks off")


def judge_stream(heard: Heard) -> JoinCheck:
    """Whether the events came apart."""
    if heard.trouble or heard.status != 200:
        trouble = heard.trouble or f"answers with status {heard.status}"
        return JoinCheck(
            name=STREAM_NAME,
            ok=False,
            message=f"The agent's {STREAM_TEST_PATH} {trouble}.",
            advice="See that the proxy before the agent passes all of its paths on.",
        )
    if len(heard.at) < STREAM_TEST_EVENTS:
        return JoinCheck(
            name=STREAM_NAME,
            ok=False,
            message=f"Only {len(heard.at)} of {STREAM_TEST_EVENTS} events came.",
            advice="See that the proxy before the agent does not cut long answers.",
        )
    if heard.at[-1] - heard.at[0] < LEAST_SPREAD_SECONDS:
        return JoinCheck(
            name=STREAM_NAME,
            ok=False,
            message="The events came all at once: a proxy holds them back.",
            advice="Switch its buffering off: nginx proxy_buffering off; or the header "
            "X-Accel-Buffering: no let through; Apache flushpackets=on; Traefik no buffering.",
        )
    return JoinCheck(name=STREAM_NAME, ok=True, message="Events come as they happen.")


def judge_clock(heard: Heard, *, now: float) -> JoinCheck:
    """Whether the agent's clock is ours; build tokens and signatures need that."""
    try:
        theirs = parsedate_to_datetime(heard.date).timestamp()
    except (ValueError, TypeError):
        return JoinCheck(name=CLOCK_NAME, ok=None, message="The agent's answer has no Date.")
    # Its Date is from before the test's pauses, and in whole seconds.
    off = theirs + (SPREAD if heard.at else 0.0) - now
    advice = "Let the machine keep time by NTP (timedatectl set-ntp true)."
    direction = "ahead of" if off > 0 else "behind"
    told = f"The agent's clock is {abs(off):.0f} seconds {direction} the federation's."
    if abs(off) > CLOCK_MOST_SECONDS:
        return JoinCheck(name=CLOCK_NAME, ok=False, message=told, advice=advice)
    if abs(off) > CLOCK_WARN_SECONDS:
        return JoinCheck(name=CLOCK_NAME, ok=True, message=told, advice=advice)
    return JoinCheck(name=CLOCK_NAME, ok=True, message="The clocks agree.")
