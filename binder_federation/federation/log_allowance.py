"""How much one attempt may say: a member that never stops talking fills no memory and no line.

A build's log is some hundred kilobytes. After a few megabytes its further lines are left out, and
the visitor is told so; what moves the launch on is told all the same. Who goes on far beyond that
is not building anything.
"""

from binder_federation.binder.errors import MemberUnreachable
from binder_federation.binder.events import Event, Phase

MOST_SAID_BYTES = 4 << 20
MOST_HEARD_BYTES = 64 << 20
MOST_EVENTS = 500_000


class LogAllowance:
    """Of one attempt at `member`."""

    def __init__(self, member: str) -> None:
        self._member = member
        self._heard_bytes = 0
        self._events = 0
        self._phase: Phase | None = None
        self._left_out = 0

    def take(self, event: Event, size: int) -> Event | None:
        """The event to tell: it, a line that says that some are left out, or nothing.

        `size` is all that was sent for it: its fields count as much as its message.
        Raises `MemberUnreachable` when the member has said more than any launch does.
        """
        self._events += 1
        self._heard_bytes += size
        if self._heard_bytes > MOST_HEARD_BYTES or self._events > MOST_EVENTS:
            raise MemberUnreachable(f"{self._member} sent more than a launch has to say.")
        moves = event.phase is not self._phase or event.phase.is_final
        self._phase = event.phase
        if moves or self._heard_bytes <= MOST_SAID_BYTES:
            return event
        self._left_out += 1
        if self._left_out > 1:
            return None
        return Event(event.phase, "The log is very long; what follows of it is left out.\n")
