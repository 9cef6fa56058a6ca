"""One launch: its id, what was asked, what happened, where it is now.

The dispatcher tells it what happens; whoever keeps its record for other replicas hears
of each change (`on_change`) and reads `state` and `log`, which are always whole.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from binder_federation.binder.events import Event
from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.federation.event_log import EventLog
from binder_federation.federation.launch_ids import EventId, MemberPosition
from binder_federation.federation.launch_records.contract import KeptLaunch
from binder_federation.federation.launch_request import LaunchRequest
from binder_federation.federation.launch_state import Course, LaunchState
from binder_federation.federation.outcomes import FailedAttempt

OnChange = Callable[["Launch", bool], None]
"""Called with a launch that changed, and whether others should know at once."""


class Launch:
    """A launch in this replica, which runs it or follows the one that does."""

    def __init__(
        self,
        launch_id: str,
        request: LaunchRequest,
        *,
        log: EventLog,
        now: float,
        on_change: OnChange = lambda _launch, _is_urgent: None,
    ) -> None:
        self.id = launch_id
        self.log = log
        self.state = LaunchState(request, began_at=now)
        self.is_ours = True
        """Otherwise another replica runs it, or did."""
        self.watchers = 0
        self.unwatched_since = now
        self.ended_at: float | None = None
        self.is_given_up = False
        """Nobody wants it any more, so its member need not go on."""
        self.is_recorded = False
        """The launch event log was told of its end."""
        self.task: asyncio.Task[None] | None = None
        self._on_change = on_change
        self._seen: EventId | None = None

    @property
    def request(self) -> LaunchRequest:
        """What was asked for."""
        return self.state.request

    @property
    def failures(self) -> tuple[FailedAttempt, ...]:
        """The attempts that failed so far."""
        return self.state.failures

    def event_id(self, number: int, at: MemberPosition) -> str:
        """The id of the launch's event `number`, which came from `at`."""
        return str(EventId(self.id, number, at))

    def tell(self, event: Event, at: MemberPosition | None = None) -> None:
        """Something happened: `at` that event of a member's, or to the federation itself."""
        self.log.append(event, at)
        self._on_change(self, event.phase.is_final)

    def note_resolved(self, resolved: ResolvedSpec) -> None:
        """What it stands for is known."""
        repository = resolved.spec.repository
        is_other = repository != self.request.spec.repository
        state = replace(self.state, resolved_ref=resolved.resolved_ref)
        self._set(replace(state, repository=repository) if is_other else state)

    def note_course(self, course: Course) -> None:
        """It goes to a member. Whoever takes it over must go to the same one."""
        self._set(replace(self.state, course=course), is_urgent=True)

    def note_failure(self, failure: FailedAttempt) -> None:
        """An attempt failed."""
        failures = (*self.failures, failure)
        self._set(replace(self.state, failures=failures, course=None))

    def adopt(self, kept: KeptLaunch) -> None:
        """Know what another replica wrote about it."""
        for entry in kept.entries:
            self.log.add(entry)
        self.state = kept.state

    def hint(self, seen: EventId) -> None:
        """Somebody who watched it elsewhere has seen that event."""
        if self._seen is None or seen.number > self._seen.number:
            self._seen = seen

    def first_unseen(self, seen: EventId) -> int:
        """The number of the first event to tell somebody who has seen the event `seen`.

        Numbers of two replicas that could not hear each other may differ; then the last
        event is told again, rather than that somebody waits for it in vain.
        """
        if self.is_ours and seen.number > self.log.last_number:
            return self.log.last_number
        return seen.number + 1

    def make_ours(self) -> None:
        """Go on with it here, from the last event that was written or that somebody saw.

        A visitor may have seen more than was written before the other replica died.
        """
        self.is_ours = True
        if self._seen is not None and self._seen.number > self.log.last_number:
            self.log.skip_to(self._seen.number, self._seen.at)
            self.state = self.state.corrected(self._seen.at.member)
        self._on_change(self, True)

    def _set(self, state: LaunchState, *, is_urgent: bool = False) -> None:
        self.state = state
        self._on_change(self, is_urgent)
