"""Whether a server that ends at once is its image's failure, or this member's. Pure.

Servers of an image without Jupyter, or with a broken `start` script, end by themselves
wherever they are started; were that held against members, one such repository would have
them all ejected. Yet a member that is broken makes all servers end. So an image is blamed
only while this member is known to be well: another server has started here within the
hour, and this image never has. Doubt is for the image, and another member tries.
"""

from collections import OrderedDict

WELL_SECONDS = 3600.0
MOST_IMAGES = 10_000


class StartRecord:
    """What is remembered of the starts at one member. Times are of any clock, in seconds."""

    def __init__(self) -> None:
        self._proven: OrderedDict[str, None] = OrderedDict()
        self._well_until: float | None = None

    def note_ready(self, image: str, *, now: float) -> None:
        """A server of the image answered."""
        self._proven[image] = None
        self._proven.move_to_end(image)
        if len(self._proven) > MOST_IMAGES:
            self._proven.popitem(last=False)
        self._well_until = now + WELL_SECONDS

    def blames_image(self, image: str, *, now: float) -> bool:
        """Whose failure a server is that ended by itself. One whose image has started here before
        makes this member doubtful until a server starts again."""
        if image in self._proven:
            self._well_until = None
            return False
        return self._well_until is not None and now <= self._well_until
