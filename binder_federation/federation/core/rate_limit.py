"""How many launches an address has left: a window that begins with the first one.

As BinderHub's limit: not sliding, and refused launches are counted as well, but they do not
make the window longer.
"""

from typing import NamedTuple


class Window(NamedTuple):
    """The launches of one address: how many since the window began, and when it ends."""

    used: int
    resets_at: float


class Allowance(NamedTuple):
    """What an address may still do. `resets_at` is in seconds since 1970."""

    limit: int
    used: int
    resets_at: float

    @property
    def is_over(self) -> bool:
        """Whether the last launch that was counted is one too many."""
        return self.used > self.limit

    @property
    def remaining(self) -> int:
        """Launches left in the window."""
        return max(0, self.limit - self.used)


def count_launch(window: Window | None, *, now: float, period_seconds: float) -> Window:
    """The window after one more launch."""
    if window is None or window.resets_at <= now:
        return Window(1, now + period_seconds)
    return window._replace(used=window.used + 1)


def say_wait(seconds: float) -> str:
    """How long, in words: never shorter than it is."""
    if seconds <= 90:
        whole = max(1, -int(-seconds // 1))
        return f"{whole} second{'' if whole == 1 else 's'}"
    return f"{-int(-seconds // 60)} minutes"
