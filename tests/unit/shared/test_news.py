"""Messages in stream entries, positions in streams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.federation.shared.bus import Topic
from binder_federation.federation.shared.news import (
    MOST_ENTRY_BYTES,
    entries,
    messages_of,
    sender_of,
)
from binder_federation.federation.shared.position import (
    START,
    Lost,
    Position,
    StreamState,
    place,
)

REPLICA = "0123456789abcdef"

messages = st.lists(st.tuples(st.sampled_from(Topic), st.binary(max_size=9000)), max_size=20)


@given(messages)
def test_messages_come_out_as_they_went_in(told: list[tuple[Topic, bytes]]) -> None:
    packed = list(entries(REPLICA, told))
    assert [each for entry in packed for each in messages_of(entry)] == told
    assert all(sender_of(entry) == REPLICA for entry in packed)
    assert all(len(entry) <= MOST_ENTRY_BYTES + 200 for entry in packed), "entries are too large"


def test_small_messages_share_an_entry() -> None:
    assert len(list(entries(REPLICA, [(Topic.DECISION, b"x" * 20)] * 100))) == 1
    assert list(entries(REPLICA, [])) == []


@pytest.mark.parametrize(
    "entry", [b"12345678\x00", b"12345678\xff\0\0\0\0", b"12345678\0\0\0\0\7abc"]
)
def test_an_entry_that_is_none_of_ours_is_refused(entry: bytes) -> None:
    with pytest.raises(ValueError, match="entry of the stream"):
        list(messages_of(entry))


AT_TEN = Position("10-0", read=10)


@pytest.mark.parametrize(
    ("before", "state", "position", "lost"),
    [
        (None, StreamState(), Position(START, 0), None),
        (None, StreamState("7-1", added=70, length=7), Position("7-1", 70), None),
        (AT_TEN, StreamState("10-0", added=10, length=10), AT_TEN, None),
        (AT_TEN, StreamState("15-0", added=15, length=15), AT_TEN, None),
        (AT_TEN, StreamState("15-0", added=15, length=5), AT_TEN, None),
        (AT_TEN, StreamState("15-0", added=15, length=4), Position("10-0", 11), Lost.TRIMMED),
        (AT_TEN, StreamState("15-0", added=15, length=0), Position("10-0", 15), Lost.TRIMMED),
        (AT_TEN, StreamState(), Position(START, 0), Lost.FLUSHED),
        (AT_TEN, StreamState("9-5", added=9, length=9), Position(START, 0), Lost.FLUSHED),
        (AT_TEN, StreamState("99-0", added=2, length=1), Position(START, 1), Lost.FLUSHED),
    ],
)
def test_place_after_a_reconnection(
    before: Position | None, state: StreamState, position: Position, lost: Lost | None
) -> None:
    assert place(before, state) == (position, lost), f"from {before} to {state}"
