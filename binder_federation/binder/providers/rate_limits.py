"""Rate limits of providers' APIs: how to see one in an answer, and when it is over.

What is left and when the window ends is told as `X-RateLimit-…` (GitHub, Zenodo) or
`RateLimit-…` (GitLab); `Retry-After` says how long to wait; some say nothing but a
sentence, and then a minute is to be waited.
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers
"""

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from binder_federation.binder.providers.base import Unavailable

_LONGEST_WAIT_SECONDS = 3600.0
_UNTOLD_WAIT_SECONDS = 60.0
_PREFIXES = ("x-ratelimit-", "ratelimit-")
_LEAST_TIME_OF_DAY = 1_000_000_000
"""A reset below it is a number of seconds to wait, not a time since 1970."""


def remaining_in(response: httpx.Response) -> int | None:
    """The requests that are left, if the answer tells."""
    remaining = _limit_number(response, "remaining")
    return None if remaining is None else int(remaining)


def limit_in(response: httpx.Response, *, name: str, now: float) -> Unavailable | None:
    """The rate limit that this answer is about, if it is about one.

    `name` is the provider's, for people; `now` is in seconds since 1970.
    """
    if response.status_code not in (403, 429):
        return None
    wait_seconds = _wait_seconds(response, now=now)
    if wait_seconds is None:
        return None
    wait_seconds = min(max(1.0, wait_seconds), _LONGEST_WAIT_SECONDS)
    again = datetime.fromtimestamp(math.ceil(now + wait_seconds), UTC)
    return Unavailable(
        f"{name} takes no more requests from this service for now; "
        f"it does again at {again:%H:%M:%S} UTC.",
        retry_after_seconds=wait_seconds,
    )


def _wait_seconds(response: httpx.Response, *, now: float) -> float | None:
    retry_after = _retry_after(response, now=now)
    if retry_after is not None:
        return retry_after
    if remaining_in(response) == 0:
        return _until_reset(response, now=now)
    if response.status_code == 429 or "rate limit" in response.text.lower():
        return _UNTOLD_WAIT_SECONDS
    return None


def _until_reset(response: httpx.Response, *, now: float) -> float:
    reset = _limit_number(response, "reset")
    if reset is None:
        return _UNTOLD_WAIT_SECONDS
    return reset if reset < _LEAST_TIME_OF_DAY else reset - now


def _retry_after(response: httpx.Response, *, now: float) -> float | None:
    """Seconds, or a date (RFC 9110, 10.2.3)."""
    text = response.headers.get("retry-after", "")
    try:
        return _number(text) if text.isdigit() else parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError, OSError):
        return None


def _limit_number(response: httpx.Response, name: str) -> float | None:
    texts = (response.headers.get(f"{prefix}{name}", "") for prefix in _PREFIXES)
    return next((number for text in texts if (number := _number(text)) is not None), None)


def _number(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
