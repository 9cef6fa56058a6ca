"""The names of launches and of their events.

A launch id is a random text of 96 bits that nobody guesses: who knows it may watch the
launch. An event's id tells all that a replica needs to go on with a launch of which it
knows nothing else: the launch, the member, the member's own number of that event, and
the event's number for the visitor.

    p0Zk3vXq9a-Ls2Qd:alpha.17:21        or, while there is no member,        …:-:1
"""

import hashlib
import re
import secrets
from dataclasses import dataclass

_ID_BYTES = 12
_EVENT_ID = re.compile(
    r"(?P<launch>[A-Za-z0-9_-]{16}):(?:-|(?P<member>[a-z0-9-]{1,63})\.(?P<at>[0-9]{1,9}))"
    r":(?P<number>[0-9]{1,9})"
)


@dataclass(frozen=True, slots=True)
class MemberPosition:
    """How far a launch has got in a member's stream: the number of the member's last event."""

    member: str = ""
    """Empty while there is none."""
    number: int = 0

    def __str__(self) -> str:
        return f"{self.member}.{self.number}" if self.member else "-"


NOWHERE = MemberPosition()


@dataclass(frozen=True, slots=True)
class EventId:
    """An event of a launch: `number` counts for the visitor, `at` is where it came from."""

    launch: str
    number: int
    at: MemberPosition = NOWHERE

    def __str__(self) -> str:
        return f"{self.launch}:{self.at}:{self.number}"


def parse_event_id(text: str) -> EventId | None:
    """The event that a `Last-Event-ID` names; None when it is none of ours."""
    found = _EVENT_ID.fullmatch(text)
    if found is None:
        return None
    at = MemberPosition(found["member"], int(found["at"])) if found["member"] else NOWHERE
    return EventId(found["launch"], int(found["number"]), at)


def parse_position(text: str) -> MemberPosition:
    """What `str` of a position was made from; nowhere when it is none."""
    member, _, number = text.partition(".")
    return MemberPosition(member, int(number)) if number.isdecimal() else NOWHERE


def new_launch_id() -> str:
    """An id for a new launch."""
    return secrets.token_urlsafe(_ID_BYTES)


def member_launch_id(launch_id: str, member: str) -> str:
    """What `member` is told of the id: the same from every replica, and good for nothing else.

    Members are other institutions. One that failed a launch must not be able to watch how
    the launch goes on at another member, and take the session's token from there.
    """
    return hashlib.blake2b(f"{member}/{launch_id}".encode(), digest_size=_ID_BYTES).hexdigest()
