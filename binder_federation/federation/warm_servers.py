"""At which members a warm server waits for whoever launches an image next.

Members tell of them in every report (`reports.py`). A launch that is sent to such a member
takes one, whichever replica sends it; the member's next report sets it right.
"""

from collections.abc import Iterable, Mapping

from binder_federation.binder.messages import WarmRecord
from binder_federation.binder.spec import ImageKey
from binder_federation.federation.core.snapshot import NOTHING


class WarmServers:
    """By image, so that a decision finds them at once: member → how many wait there."""

    def __init__(self) -> None:
        self._by_image: dict[str, dict[str, int]] = {}
        self._of_member: dict[str, frozenset[str]] = {}

    def at(self, image: ImageKey) -> Mapping[str, int]:
        """The members that have any for the image."""
        return self._by_image.get(image, NOTHING)

    def hear(self, member: str, records: Iterable[WarmRecord]) -> None:
        """All that `member` has now."""
        servers = {record.key: record.servers for record in records}
        for image in self._of_member.get(member, frozenset()) - servers.keys():
            self._drop(image, member)
        for image, count in servers.items():
            self._by_image.setdefault(image, {})[member] = count
        if servers:
            self._of_member[member] = frozenset(servers)
        else:
            self._of_member.pop(member, None)

    def note_sent(self, member: str, image: ImageKey) -> None:
        """A launch of the image went to `member`."""
        left = self.at(image).get(member, 0) - 1
        if left > 0:
            self._by_image[image][member] = left
        elif left == 0:
            self._drop(image, member)

    def forget(self, member: str) -> None:
        """Nothing is known of `member` any more."""
        self.hear(member, ())

    def members(self) -> frozenset[str]:
        """The members that told of any."""
        return frozenset(self._of_member)

    def _drop(self, image: str, member: str) -> None:
        members = self._by_image.get(image, {})
        members.pop(member, None)
        if not members:
            self._by_image.pop(image, None)
