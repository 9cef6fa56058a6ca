"""Counts launches by address, for all replicas together where there is Redis.

Redis is asked within a launch's deadline. When it does not answer, this replica counts on
from what it knew: nobody is refused because Redis is down.
"""

from collections.abc import Callable
from typing import Any

from binder_federation.binder.visitor_addresses import counted_as
from binder_federation.federation.core.rate_limit import Allowance, Window, count_launch
from binder_federation.federation.limits.live_policy import GetPolicy
from binder_federation.federation.shared.connection import RedisConnection, RedisUnavailable

MOST_WINDOWS = 100_000


class RateLimiter:
    """The launches of each address. `policy()` tells how many there may be."""

    def __init__(
        self,
        *,
        policy: GetPolicy,
        connection: RedisConnection | None,
        clock: Callable[[], float],
    ) -> None:
        self._policy = policy
        self._connection = connection
        self._clock = clock
        self._windows: dict[str, Window] = {}

    async def count(self, address: str, *, has_page: bool = False) -> Allowance:
        """One more launch of `address`; what it may still do after it. Those that come from our
        pages are counted apart."""
        limit = self._policy().rate_limit
        name = _name(address, has_page=has_page)
        window = await self._count_together(name, limit.period_seconds)
        if window is None:
            window = count_launch(
                self._windows.get(name), now=self._clock(), period_seconds=limit.period_seconds
            )
        self._keep(name, window)
        most = limit.launches_with_page if has_page else limit.launches
        return Allowance(most, window.used, window.resets_at)

    def peek(self, address: str, *, has_page: bool = False) -> Allowance:
        """What one more launch of `address` would come to, as this replica knows it."""
        limit = self._policy().rate_limit
        window = count_launch(
            self._windows.get(_name(address, has_page=has_page)),
            now=self._clock(),
            period_seconds=limit.period_seconds,
        )
        most = limit.launches_with_page if has_page else limit.launches
        return Allowance(most, window.used, window.resets_at)

    async def _count_together(self, name: str, period_seconds: float) -> Window | None:
        if self._connection is None:
            return None
        key = self._connection.keys.launches_of(name)

        async def ask(client: Any) -> tuple[int, int]:
            async with client.pipeline(transaction=True) as pipeline:
                pipeline.incr(key)
                pipeline.pexpire(key, max(1, round(period_seconds * 1000)), nx=True)
                pipeline.pttl(key)
                used, _, left = await pipeline.execute()
            return int(used), int(left)

        try:
            used, left = await self._connection.call("rate_limit", ask)
        except RedisUnavailable:
            return None
        return Window(used, self._clock() + max(0, left) / 1000)

    def _keep(self, name: str, window: Window) -> None:
        if len(self._windows) >= MOST_WINDOWS and name not in self._windows:
            now = self._clock()
            self._windows = {n: each for n, each in self._windows.items() if each.resets_at > now}
            while len(self._windows) >= MOST_WINDOWS:  # the oldest of so many are let go
                del self._windows[next(iter(self._windows))]
        self._windows[name] = window


def _name(address: str, *, has_page: bool) -> str:
    counted = counted_as(address)
    return f"{counted}|page" if has_page else counted
