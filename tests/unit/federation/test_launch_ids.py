"""Event ids tell where a launch is, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.federation.launch_ids import (
    NOWHERE,
    EventId,
    MemberPosition,
    member_launch_id,
    new_launch_id,
    parse_event_id,
    parse_position,
)

POSITIONS = st.just(NOWHERE) | st.builds(
    MemberPosition,
    st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True),
    st.integers(0, 10**9 - 1),
)


@given(at=POSITIONS, number=st.integers(0, 10**9 - 1))
def test_an_event_id_is_read_as_it_was_written(at: MemberPosition, number: int) -> None:
    event_id = EventId(new_launch_id(), number, at)
    assert parse_event_id(str(event_id)) == event_id
    assert parse_position(str(at)) == at


@pytest.mark.parametrize(
    "text",
    [
        "",
        "gone:3",
        ":",
        "x:-1",
        "aaaaaaaaaaaaaaaa:3",
        "aaaaaaaaaaaaaaaa:alpha:3",
        "aaaaaaaaaaaaaaaa:alpha.1:",
        "aaaaaaaaaaaaaaaa:alpha.x:3",
        "aaaaaaaaaaaaaaaa:ALPHA.1:3",
        "aaaaaaaaaaaaaaaa:-:" + "9" * 40,
        "aaaaaaaaaaaaaaaa:-:٣",
        "aaaaaaaaaaaaaaa/:-:3",
        "aaaaaaaaaaaaaaaa:-:3\n",
    ],
)
def test_what_is_no_event_id_is_none(text: str) -> None:
    assert parse_event_id(text) is None


def test_a_members_name_for_a_launch_leads_nowhere_else() -> None:
    launch_id = new_launch_id()
    names = {member_launch_id(launch_id, member) for member in ("alpha", "beta")}
    assert len(names) == 2, "one member cannot ask another for the launch"
    assert names == {member_launch_id(launch_id, member) for member in ("alpha", "beta")}
    assert not any(launch_id in name for name in names)
