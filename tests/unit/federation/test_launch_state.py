"""What is kept of a launch: through JSON and back, and put right by what a visitor saw."""

import pytest

from binder_federation.binder.errors import MemberUnreachable
from binder_federation.binder.events import Event, Phase, failed_event
from binder_federation.binder.spec import LaunchSpec
from binder_federation.federation.event_log import EventLog
from binder_federation.federation.launch import Launch
from binder_federation.federation.launch_ids import EventId, MemberPosition
from binder_federation.federation.launch_records.contract import KeptLaunch
from binder_federation.federation.launch_request import LaunchRequest
from binder_federation.federation.launch_state import Course, LaunchState, state_from_json
from binder_federation.federation.outcomes import FailedAttempt
from binder_federation.runtime.errors import Fault

REQUEST = LaunchRequest(LaunchSpec("gh", "owner/repository", "main"), "owner/repository/main")
FAILURE = FailedAttempt("beta", failed_event(MemberUnreachable("It broke.")), Fault.MEMBER)
LAUNCH_ID = "aaaaaaaaaaaaaaaa"


@pytest.mark.parametrize(
    "state",
    [
        LaunchState(REQUEST, began_at=1.5),
        LaunchState(REQUEST, 1.5, "1" * 40, (FAILURE,), Course("alpha", 2, "why")),
    ],
)
def test_a_state_is_read_as_it_was_written(state: LaunchState) -> None:
    assert state_from_json(state.to_json()) == state


@pytest.mark.parametrize(
    "text", ["", "3", "{}", '{"request": 3}', "[]", '{"request": {"spec": 1}}']
)
def test_what_is_no_state_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - json raises its own kind of it
        state_from_json(text)


def test_a_visitor_who_saw_another_member_knows_better() -> None:
    state = LaunchState(REQUEST, 1.5, course=Course("alpha", 1, "why"))
    corrected = state.corrected("beta")
    assert corrected.course == Course("beta", 2, is_certain=False)
    assert [failure.member for failure in corrected.failures] == ["alpha"]


def test_a_visitor_who_saw_the_same_or_a_member_that_failed_changes_nothing() -> None:
    state = LaunchState(REQUEST, 1.5, "", (FAILURE,), Course("alpha", 2, "why"))
    assert state.corrected("alpha") is state
    assert state.corrected("beta") is state
    assert state.corrected("") is state


def make_launch() -> Launch:
    return Launch(LAUNCH_ID, REQUEST, log=EventLog(kept=100), now=1.5)


def kept_with(count: int) -> KeptLaunch:
    log = EventLog(kept=100)
    for number in range(1, count + 1):
        log.append(Event(Phase.BUILDING, "line\n"), MemberPosition("alpha", number))
    return KeptLaunch("", LaunchState(REQUEST, 1.5, course=Course("alpha")), tuple(log.after(0)))


def test_a_launch_goes_on_after_what_was_written() -> None:
    launch = make_launch()
    launch.adopt(kept_with(5))
    launch.hint(EventId(LAUNCH_ID, 3, MemberPosition("alpha", 3)))
    launch.make_ours()
    assert (launch.log.last_number, launch.log.at) == (5, MemberPosition("alpha", 5))


def test_a_launch_goes_on_after_what_somebody_saw_when_less_was_written() -> None:
    launch = make_launch()
    launch.adopt(kept_with(2))
    launch.hint(EventId(LAUNCH_ID, 7, MemberPosition("beta", 1)))
    launch.hint(EventId(LAUNCH_ID, 4, MemberPosition("alpha", 4)))
    launch.make_ours()
    assert (launch.log.last_number, launch.log.at) == (7, MemberPosition("beta", 1))
    assert launch.state.course == Course("beta", 2, is_certain=False)


def test_somebody_whose_numbers_are_ahead_gets_what_comes() -> None:
    launch = make_launch()
    launch.tell(Event(Phase.BUILDING, "line\n"))
    assert launch.first_unseen(EventId(LAUNCH_ID, 1)) == 2
    assert launch.first_unseen(EventId(LAUNCH_ID, 90)) == 1, "not to wait for number 91"
