"""What any process of ours tells Prometheus of itself: CPU, memory, files, and its loop's lag."""

import asyncio

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector

LOOK_EVERY_SECONDS = 0.5
MEMORY = 0.9
"""What is left of an earlier lag after each look: a scrape every 15 s sees what was between."""


class ProcessMetrics:
    """`process_*`, and `<prefix>_event_loop_lag_seconds`: how late this process's loop runs."""

    def __init__(self, registry: CollectorRegistry, *, prefix: str) -> None:
        ProcessCollector(registry=registry)
        self._lag = Gauge(
            f"{prefix}_event_loop_lag_seconds",
            "How late the event loop runs what is due: the worst of late, fading",
            registry=registry,
        )

    async def watch_lag(self) -> None:
        """Sleep, see by how much too long, and tell; for a background task."""
        loop = asyncio.get_running_loop()
        worst = 0.0
        while True:
            due = loop.time() + LOOK_EVERY_SECONDS
            await asyncio.sleep(LOOK_EVERY_SECONDS)
            worst = max(loop.time() - due, worst * MEMORY)
            self._lag.set(worst)
