"""Encoding once, and never the wrong event's bytes."""

from binder_federation.binder.events import Event, Phase, encode_event
from binder_federation.cluster_agent.encoded_events import EncodedEvents


def test_the_same_event_is_encoded_once() -> None:
    events = EncodedEvents()
    event = Event(Phase.BUILDING, "a line\n")
    assert events.encode(event) == encode_event(event)
    assert events.encode(event) is events.encode(event)


def test_short_lived_events_that_reuse_an_address_are_told_apart() -> None:
    events = EncodedEvents(kept=3)
    for number in range(1000):
        event = Event(Phase.BUILDING, f"line {number}\n")
        assert events.encode(event) == encode_event(event)
