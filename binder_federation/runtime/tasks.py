"""Background tasks that cannot be lost.

Every task has a name; one that crashes is logged and makes `crashed()` name it,
which fails the service's liveness. Loops run their first pass in the foreground
when asked to (`run_periodically` after an awaited first pass), then catch,
report and sleep with jitter.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class BackgroundTasks:
    """The tasks of one service; closing it ends them all."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._crashed: dict[str, str] = {}

    def start(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Run `coroutine` in the background under `name`."""
        task = asyncio.create_task(coroutine, name=name)  # noqa: TID251 - this is the one place
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def run_periodically(
        self,
        action: Callable[[], Awaitable[object]],
        *,
        every_seconds: float | Callable[[], float],
        name: str,
        jitter: float = 0.2,
    ) -> asyncio.Task[Any]:
        """Call `action` again and again; an exception is logged and the loop goes on.

        `every_seconds` may be a function, asked anew before each pause; the pause
        varies by ± `jitter` so that loops of many processes do not keep step.
        """

        async def loop() -> None:
            while True:
                base = every_seconds() if callable(every_seconds) else every_seconds
                await asyncio.sleep(base * random.uniform(1 - jitter, 1 + jitter))  # noqa: S311
                try:
                    await action()
                except Exception:
                    log.exception("background_pass_failed", task=name)

        return self.start(loop(), name=name)

    def crashed(self) -> dict[str, str]:
        """Tasks that ended with an exception nobody expected: name → what it was."""
        return dict(self._crashed)

    async def aclose(self) -> None:
        """Cancel what runs and wait for it to end."""
        pending = [task for task in self._tasks if not task.done()]
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._crashed[task.get_name()] = repr(error)
            log.error("background_task_crashed", task=task.get_name(), exc_info=error)
