"""What was decided, by this replica and the others: who was sent a launch, of which image.

A decision makes its member busier before any report says so, and its image hotter.
Replicas tell each other, so that they do not all send to whoever looks free.
"""

from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.binder.spec import ImageKey
from binder_federation.federation.arrivals import Arrivals
from binder_federation.federation.reports import Reports
from binder_federation.federation.shared.bus import Bus, Topic

_SENT, _GONE = b"+", b"-"
_KEY_BYTES = 16


class Decisions:
    """Keeps count of decisions, here and elsewhere."""

    def __init__(self, *, bus: Bus, reports: Reports, arrivals: Arrivals) -> None:
        self._bus = bus
        self._reports = reports
        self._arrivals = arrivals

    def sent(self, member: str, resolved: ResolvedSpec, *, now: float) -> None:
        """This replica sends a launch to `member`."""
        self._reports.note_sent(member, resolved.image_key, now=now)
        self._arrivals.note(resolved.image_key, now=now, resolved=resolved)
        key = bytes.fromhex(resolved.image_key)
        self._bus.publish(Topic.DECISION, _SENT + key + member.encode())

    def gone(self, member: str) -> None:
        """A launch that this replica sent to `member` failed there."""
        self._reports.note_gone(member)
        self._bus.publish(Topic.DECISION, _GONE + bytes(_KEY_BYTES) + member.encode())

    def hear(self, body: bytes, *, now: float) -> None:
        """Another replica's decision."""
        kind, key = body[:1], body[1 : 1 + _KEY_BYTES]
        member = body[1 + _KEY_BYTES :].decode("utf-8", "replace")
        if kind == _SENT:
            image = ImageKey(key.hex())
            self._reports.note_sent(member, image, now=now)
            self._arrivals.note(image, now=now)
        elif kind == _GONE:
            self._reports.note_gone(member)
