"""Encodes each event once, however many streams it goes to.

All who watch one build get the same event objects. A thousand of them would have
the same line made into JSON a thousand times, which is most of what a line costs.
"""

from collections import OrderedDict

from binder_federation.binder.events import Event, encode_event

KEPT = 2048


class EncodedEvents:
    """The bytes of the latest events, by the events' identity."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        # The event is kept with its bytes: its id is its own for as long as it lives.
        self._known: OrderedDict[int, tuple[Event, bytes]] = OrderedDict()

    def encode_numbered(self, number: int, event: Event) -> bytes:
        """`event` as a server-sent event with its number in its launch."""
        return b"id: %d\n%b" % (number, self.encode(event))

    def encode(self, event: Event) -> bytes:
        """`event` as a server-sent event."""
        known = self._known.get(id(event))
        if known is not None:
            return known[1]
        encoded = encode_event(event)
        self._known[id(event)] = (event, encoded)
        if len(self._known) > self._kept:
            self._known.popitem(last=False)
        return encoded
