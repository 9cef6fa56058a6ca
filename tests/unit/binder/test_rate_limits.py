"""How providers tell of their limits, in all the ways that they do."""

from email.utils import formatdate

import httpx
import pytest

from binder_federation.binder.providers.rate_limits import limit_in, remaining_in

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("status", "headers", "text", "wait_seconds"),
    [
        (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(NOW) + 90)}, "", 90),
        (429, {"RateLimit-Remaining": "0", "RateLimit-Reset": str(int(NOW) + 90)}, "", 90),
        (429, {"RateLimit-Remaining": "0", "RateLimit-Reset": "90"}, "", 90),
        (429, {"RateLimit-Remaining": "0"}, "", 60),
        (429, {"Retry-After": "90", "X-RateLimit-Remaining": "0"}, "", 90),
        (429, {"Retry-After": formatdate(NOW + 90, usegmt=True)}, "", 90),
        (429, {"Retry-After": "soon"}, "", 60),
        (429, {"Retry-After": "²"}, "", 60),
        (429, {"Retry-After": "9" * 15}, "", 3600),
        (429, {"Retry-After": "9" * 400}, "", 60),
        (429, {"Retry-After": "0"}, "", 1),
        (429, {"Retry-After": formatdate(NOW - 90, usegmt=True)}, "", 1),
        (429, {}, "", 60),
        (403, {}, "You have exceeded a secondary rate limit.", 60),
        (403, {"X-RateLimit-Remaining": "7"}, "Forbidden", None),
        (403, {"X-RateLimit-Remaining": "many"}, "Forbidden", None),
        (404, {"X-RateLimit-Remaining": "0"}, "", None),
        (200, {"Retry-After": "90"}, "", None),
    ],
)
def test_how_long_to_wait(
    status: int, headers: dict[str, str], text: str, wait_seconds: float | None
) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    limit = limit_in(httpx.Response(status, headers=raw, text=text), name="Forge", now=NOW)
    assert (limit.retry_after_seconds if limit else None) == wait_seconds
    assert limit is None or limit.message.startswith("Forge takes no more requests")


@pytest.mark.parametrize(
    ("headers", "remaining"),
    [
        ({"x-ratelimit-remaining": "12"}, 12),
        ({"RateLimit-Remaining": "12"}, 12),
        ({"RateLimit-Remaining": "-1"}, None),
        ({"RateLimit-Remaining": ""}, None),
        ({}, None),
    ],
)
def test_what_is_left(headers: dict[str, str], remaining: int | None) -> None:
    assert remaining_in(httpx.Response(200, headers=headers)) == remaining
