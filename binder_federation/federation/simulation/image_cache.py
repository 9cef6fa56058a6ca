"""The images on a member's machines: the least recently launched make room for new ones."""

from collections import OrderedDict


class ImageCache:
    """Images by id, bounded by bytes. One that is larger than all room is held alone."""

    def __init__(self, capacity_bytes: float) -> None:
        self._capacity_bytes = capacity_bytes
        self._sizes: OrderedDict[int, int] = OrderedDict()
        self.used_bytes = 0

    def __contains__(self, image_id: int) -> bool:
        return image_id in self._sizes

    def __len__(self) -> int:
        return len(self._sizes)

    def touch(self, image_id: int) -> bool:
        """The image is launched; whether it is here."""
        if image_id not in self._sizes:
            return False
        self._sizes.move_to_end(image_id)
        return True

    def put(self, image_id: int, size_bytes: int) -> list[int]:
        """The image was pulled; the ids of those that had to go."""
        if self.touch(image_id):
            return []
        self._sizes[image_id] = size_bytes
        self.used_bytes += size_bytes
        gone = []
        while self.used_bytes > self._capacity_bytes and len(self._sizes) > 1:
            oldest, freed = self._sizes.popitem(last=False)
            self.used_bytes -= freed
            gone.append(oldest)
        return gone
