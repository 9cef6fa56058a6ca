"""How a launch of this replica ended, as far as the counts need to know."""

from binder_federation.binder.events import Phase
from binder_federation.federation.history.launch_counts import EndedLaunch
from binder_federation.federation.launch import Launch
from binder_federation.runtime.errors import Fault

NOT_A_MEMBERS_FAULT = frozenset({Fault.REPOSITORY, Fault.REQUEST, Fault.PROVIDER})


def read_end(launch: Launch, *, now: float) -> EndedLaunch:
    """The launch that came to its final event, or that nobody waited for."""
    state, last = launch.state, launch.log.last_event
    tried = [failure.member for failure in state.failures]
    if state.course is not None:
        tried.append(state.course.member)
    is_ended = launch.log.is_finished and last is not None
    is_ready = is_ended and last is not None and last.phase is Phase.READY
    return EndedLaunch(
        member=tried[-1] if tried else "",
        first_member=tried[0] if tried else "",
        is_ready=is_ready,
        says_nothing=not is_ready and _says_nothing(launch, is_ended=is_ended),
        seconds=max(0.0, now - state.began_at),
    )


def _says_nothing(launch: Launch, *, is_ended: bool) -> bool:
    """Whether its failure is no word about the member that was tried first."""
    failures = launch.state.failures
    if failures:
        return failures[0].fault in NOT_A_MEMBERS_FAULT
    last = launch.log.last_event
    given_up = not is_ended
    return given_up or (last is not None and last.fields.get("fault") in NOT_A_MEMBERS_FAULT)
