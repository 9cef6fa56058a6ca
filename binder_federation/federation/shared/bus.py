"""How one replica's news reach the others: small messages by topic, at most once.

Publishing never waits and never raises; while nobody can be reached, news are lost,
and whoever needs them has them from elsewhere in time (the next report, the next
probe, the key that holds the state).
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

Listener = Callable[[bytes], None]
"""Takes the body of a message of another replica. It must not block, and may not await."""


class Topic(StrEnum):
    """What a message is about."""

    FACTS = "facts"
    """Images that members hold or lost (the locality store's own)."""
    LEASE = "lease"
    """A build lease that was taken or released (the locality store's own)."""
    DECISION = "decision"
    """A launch that was sent to a member, or that ended there."""
    REPORT = "report"
    """A member's report, without its images."""
    VOTE = "vote"
    """What a replica holds of its members' health."""
    STEERING = "steering"
    """The steering document has another revision."""


class Bus(Protocol):
    """Carries news between replicas."""

    def publish(self, topic: Topic, body: bytes) -> None:
        """Tell the other replicas, soon."""

    def subscribe(self, topic: Topic, listener: Listener) -> None:
        """Hear what other replicas tell; one's own messages do not come back."""


class LocalBus:
    """The bus of a federation of one replica: nobody is there to hear."""

    def publish(self, topic: Topic, body: bytes) -> None:
        """Nobody else is there."""

    def subscribe(self, topic: Topic, listener: Listener) -> None:
        """Nobody else tells anything."""
