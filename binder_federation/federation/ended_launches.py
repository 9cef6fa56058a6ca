"""Tells the launch event log, and the history, how each launch of this replica ended, once.

A launch ends with its final event at the replica that runs it (`launches.py`), or is given
up there because nobody watches it any more; whoever comes back after that begins it again.
One that goes on at another replica has its line there. With `launch.mode: redirect` the
members tell how launches end, and only what found no member is told here.
"""

from collections.abc import Callable

from binder_federation.binder.events import Event, Phase
from binder_federation.binder.launch_events.ended import EndedLaunch, host_of
from binder_federation.binder.launch_events.log import LaunchEventLog
from binder_federation.federation.launch import Launch
from binder_federation.federation.launch_request import LaunchRequest
from binder_federation.runtime.errors import ServiceError

GIVEN_UP = "given_up"


class EndedLaunches:
    """Makes lines of launches."""

    def __init__(
        self,
        *,
        log: LaunchEventLog,
        tells_redirects: bool,
        clock: Callable[[], float],
        on_end: Callable[[Launch], None] = lambda _launch: None,
        on_redirect: Callable[[str], None] = lambda _member: None,
    ) -> None:
        self._on_end = on_end
        self._on_redirect = on_redirect
        self._log = log
        self._tells_redirects = tells_redirects
        self._clock = clock

    def ended(self, launch: Launch) -> None:
        """The launch came to its final event, or was given up."""
        self._on_end(launch)
        if not self._log.is_kept or launch.request.is_build_only:
            return
        state = launch.state
        last = state.failures[-1].member if state.failures else ""
        self._note(
            launch.request,
            resolved_ref=state.resolved_ref,
            code=_code(launch.log.last_event) if launch.log.is_finished else GIVEN_UP,
            member=state.course.member if state.course else last,
            attempts=state.course.attempt if state.course else len(state.failures),
            seconds=self._clock() - state.began_at,
        )

    def redirected(self, request: LaunchRequest, *, resolved_ref: str, member: str) -> None:
        """The visitor was sent to `member`, who knows how it ends."""
        if request.is_build_only:
            return
        self._on_redirect(member)
        if self._tells_redirects:
            self._note(request, resolved_ref=resolved_ref, member=member, attempts=1)

    def not_redirected(
        self, request: LaunchRequest, error: ServiceError, *, resolved_ref: str = ""
    ) -> None:
        """The visitor could be sent nowhere."""
        if not request.is_build_only:
            self._note(request, resolved_ref=resolved_ref, code=error.code)

    def _note(
        self,
        request: LaunchRequest,
        *,
        resolved_ref: str,
        code: str = "",
        member: str = "",
        attempts: int = 0,
        seconds: float | None = None,
    ) -> None:
        ended = EndedLaunch(
            provider=request.spec.provider,
            raw_spec=request.raw_spec,
            resolved_ref=resolved_ref,
            has_build_token=request.has_build_token,
            host=host_of(request.launch_host),
            request_origin=request.request_origin,
            code=code,
            member=member,
            attempts=attempts,
            seconds=seconds,
        )
        self._log.note(ended)


def _code(last: Event | None) -> str:
    """What failed; empty for `ready`."""
    if last is not None and last.phase is Phase.READY:
        return ""
    return str(last.fields.get("code") or "failed")[:40] if last is not None else "failed"
