"""The text of `/metrics`, which costs a large federation some of its event loop's time.

Who asks again and again gets the same text for a while: twenty times as long as it took to make.
So however many ask, a twentieth of the time goes into it. A small one is always made anew.
"""

import time

from prometheus_client import CollectorRegistry, generate_latest

CHEAP_SECONDS = 0.004
SHARE = 20.0


class Exposition:
    """Makes the text of one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._body = b""
        self._until = 0.0

    def body(self) -> bytes:
        """The text, a moment old at most."""
        now = time.monotonic()
        if now >= self._until:
            began_at = time.thread_time()
            self._body = generate_latest(self._registry)
            cost_seconds = time.thread_time() - began_at
            if cost_seconds > CHEAP_SECONDS:
                self._until = now + SHARE * cost_seconds
        return self._body
