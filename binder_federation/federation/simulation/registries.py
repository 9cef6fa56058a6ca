"""Replicated registries: what one member pushed is everywhere a little later."""


class Replication:
    """When images are in every registry."""

    def __init__(self, delay_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        self._everywhere_at: dict[int, float] = {}

    def note_pushed(self, image_id: int, now: float) -> float:
        """An image was pushed somewhere; when it is everywhere."""
        return self._everywhere_at.setdefault(image_id, now + self._delay_seconds)

    def has(self, image_id: int, now: float) -> bool:
        """Whether the image is in every registry."""
        at = self._everywhere_at.get(image_id)
        return at is not None and at <= now
