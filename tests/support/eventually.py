"""Waiting for something to become true, with a deadline and a sentence when it does not."""

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(
    condition: Callable[[], Awaitable[bool]], *, what: str, within_seconds: float = 30.0
) -> None:
    """Ask `condition` again and again until it holds; fail, naming `what`, when it does not."""
    try:
        async with asyncio.timeout(within_seconds):
            while not await condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited {within_seconds} s in vain for {what}") from None
