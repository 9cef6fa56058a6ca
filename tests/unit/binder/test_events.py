"""What one side writes the other reads, whatever pieces the network makes of it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.errors import InvalidSpec
from binder_federation.binder.events import (
    KEEPALIVE,
    Event,
    Phase,
    StreamMessage,
    StreamParser,
    encode_event,
    event_from_json,
    failed_event,
)

values = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=30)
field_names = st.text(min_size=1, max_size=10).filter(lambda name: name not in ("phase", "message"))
events = st.builds(
    Event,
    phase=st.sampled_from(Phase),
    message=st.text(max_size=200),
    fields=st.dictionaries(field_names, values, max_size=4),
)
ids = st.text("abcdef0123456789-:", min_size=1, max_size=20)


def in_pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data`, cut at these places."""
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def read(pieces: list[bytes]) -> list[StreamMessage]:
    parser = StreamParser()
    return [message for piece in pieces for message in parser.feed(piece)]


@given(event=events)
def test_an_event_survives_json(event: Event) -> None:
    assert event_from_json(event.to_json()) == event


@given(sent=st.lists(st.tuples(events, ids), max_size=5), cuts=st.lists(st.integers(0, 10_000)))
def test_a_stream_survives_any_pieces(sent: list[tuple[Event, str]], cuts: list[int]) -> None:
    data = b"".join(KEEPALIVE + encode_event(event, event_id) for event, event_id in sent)
    received = [(event_from_json(m.data), m.event_id) for m in read(in_pieces(data, cuts))]
    assert received == sent


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300)))
def test_pieces_make_no_difference_even_for_rubbish(data: bytes, cuts: list[int]) -> None:
    assert read(in_pieces(data, cuts)) == read([data])


def test_carriage_returns_and_several_data_lines() -> None:
    assert read([b"id: 7\r\ndata: a\r\ndata: b\r\n\r\n"]) == [StreamMessage("7", "a\nb")]


def test_an_id_lasts_until_the_next() -> None:
    messages = read([b"id: 1\ndata: a\n\ndata: b\n\n"])
    assert [message.event_id for message in messages] == ["1", "1"]


def test_comments_are_counted_and_unknown_fields_passed_over() -> None:
    parser = StreamParser()
    assert parser.feed(b":keepalive\n\nretry: 5\nevent: x\n\n" + KEEPALIVE) == []
    assert parser.comments == 2


def test_an_endless_line_is_refused() -> None:
    parser = StreamParser(most_bytes=100)
    assert parser.feed(b"data: " + b"x" * 90) == []
    with pytest.raises(ValueError, match="over 100 bytes"):
        parser.feed(b"x" * 90)


def test_an_unknown_phase_is_unknown() -> None:
    event = event_from_json('{"phase": "levitating", "message": "up", "height": 3}')
    assert event == Event(Phase.UNKNOWN, "up", {"height": 3})


@pytest.mark.parametrize("text", ["", "[]", "no", "3"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        event_from_json(text)


def test_a_failure_says_what_and_whose_fault() -> None:
    event = failed_event(InvalidSpec("No.", advice="Do this.", retry_after_seconds=3))
    assert event.phase.is_final
    assert json.loads(event.to_json()) == {
        "phase": "failed",
        "message": "No.\n",
        "status_code": 400,
        "code": "invalid_spec",
        "fault": "request",
        "retryable": False,
        "advice": "Do this.",
        "retry_after_seconds": 3,
    }
