"""Repositories that do not build, on the word of two members.

One member's word is not enough: a member that lies, or whose builder is broken in a way that looks
like the repository's fault, would turn every visitor away. So another member is tried once, and
when it says the same, that holds for this resolved ref for a while: the next visitors are told at
the first failure. Each replica remembers for itself.
"""

from collections import OrderedDict
from collections.abc import Callable

from binder_federation.binder.spec import ImageKey

REMEMBERED_SECONDS = 3600.0
MOST_REMEMBERED = 10_000


class Verdicts:
    """What two members agreed on."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._broken: OrderedDict[ImageKey, float] = OrderedDict()

    def note_broken(self, image: ImageKey) -> None:
        """Two members say that the repository is broken at this ref."""
        self._broken[image] = self._clock()
        self._broken.move_to_end(image)
        while len(self._broken) > MOST_REMEMBERED:
            self._broken.popitem(last=False)

    def note_works(self, image: ImageKey) -> None:
        """Somebody launched it."""
        self._broken.pop(image, None)

    def is_broken(self, image: ImageKey) -> bool:
        """Whether one member's word is enough."""
        at = self._broken.get(image)
        return at is not None and self._clock() - at < REMEMBERED_SECONDS
