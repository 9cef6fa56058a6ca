"""Which images are asked for how often: the hot ones among them are spread (`copies.py`)."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.binder.spec import ImageKey
from binder_federation.federation.core.arrivals import (
    MEMORY_SECONDS,
    Rate,
    observe_arrival,
    rate_now,
)

MOST_IMAGES = 20_000
FORGOTTEN_PER_SECOND = 0.1 / MEMORY_SECONDS
"""Who asks now is the first one again: the last one came more than two memories ago."""


@dataclass(frozen=True, slots=True)
class HotImage:
    """An image that is asked for again and again."""

    resolved: ResolvedSpec
    per_second: float
    since: float
    """When it began to be asked for."""


class Arrivals:
    """The rates of the images that were asked for lately, the longest unasked ones forgotten."""

    def __init__(self, *, most_images: int = MOST_IMAGES) -> None:
        self._most_images = most_images
        self._rates: OrderedDict[ImageKey, Rate] = OrderedDict()
        self._resolved: dict[ImageKey, ResolvedSpec] = {}
        self._since: dict[ImageKey, float] = {}

    def note(self, key: ImageKey, *, now: float, resolved: ResolvedSpec | None = None) -> None:
        """The image was asked for; `resolved` is what it is made from, where that is known."""
        before = self._rates.get(key, Rate())
        if rate_now(before, now=now) < FORGOTTEN_PER_SECOND:
            self._since[key] = now
        self._rates[key] = observe_arrival(before, now=now)
        self._rates.move_to_end(key)
        if resolved is not None:
            self._resolved[key] = resolved
        if len(self._rates) > self._most_images:
            forgotten, _ = self._rates.popitem(last=False)
            self._resolved.pop(forgotten, None)
            self._since.pop(forgotten, None)

    def per_second(self, key: ImageKey, *, now: float) -> float:
        """How often the image is asked for now."""
        return rate_now(self._rates.get(key, Rate()), now=now)

    def hot(self, *, above_per_second: float, now: float) -> Iterator[HotImage]:
        """The images that are asked for more often than that, as far as we know their source."""
        for key, resolved in list(self._resolved.items()):
            per_second = self.per_second(key, now=now)
            if per_second > above_per_second:
                yield HotImage(resolved, per_second, self._since[key])
