"""GitHub's rate limits: how to see one in an answer, and when it is over.

The primary limit says `x-ratelimit-remaining: 0` and when it is reset; a secondary
one says `Retry-After`, or nothing but a sentence, and then a minute is to be waited.
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

import math
from datetime import UTC, datetime

import httpx

from binder_federation.binder.providers.base import Unavailable

_LONGEST_WAIT_SECONDS = 3600.0
_UNTOLD_WAIT_SECONDS = 60.0


def remaining_in(response: httpx.Response) -> int | None:
    """The requests that are left, if the answer tells."""
    remaining = _number(response, "x-ratelimit-remaining")
    return None if remaining is None else int(remaining)


def limit_in(response: httpx.Response, *, now: float) -> Unavailable | None:
    """The rate limit that this answer is about, if it is about one. `now` in seconds since 1970."""
    if response.status_code not in (403, 429):
        return None
    wait_seconds = _wait_seconds(response, now=now)
    if wait_seconds is None:
        return None
    wait_seconds = min(max(1.0, wait_seconds), _LONGEST_WAIT_SECONDS)
    again = datetime.fromtimestamp(math.ceil(now + wait_seconds), UTC)
    return Unavailable(
        "GitHub takes no more requests from this service for now; "
        f"it does again at {again:%H:%M:%S} UTC.",
        retry_after_seconds=wait_seconds,
    )


def _wait_seconds(response: httpx.Response, *, now: float) -> float | None:
    retry_after = _number(response, "retry-after")
    if retry_after is not None:
        return retry_after
    if remaining_in(response) == 0:
        reset = _number(response, "x-ratelimit-reset")
        return _UNTOLD_WAIT_SECONDS if reset is None else reset - now
    if response.status_code == 429 or "rate limit" in response.text.lower():
        return _UNTOLD_WAIT_SECONDS
    return None


def _number(response: httpx.Response, header: str) -> float | None:
    text = response.headers.get(header, "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
