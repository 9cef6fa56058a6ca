"""Tells the agent's launch event log how its launches ended, as a BinderHub does.

The federation has a log of its own of the launches that it follows; a member that is part
of BinderHub's archive, or whose visitors come by redirects, has this one.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from binder_federation.binder.build_tokens import BuildClaims
from binder_federation.binder.launch_events.ended import EndedLaunch
from binder_federation.binder.launch_events.log import LaunchEventLog
from binder_federation.runtime.errors import Fault, ServiceError

GIVEN_UP = "given_up"


class LaunchInProgress:
    """What is known of a launch before its end."""

    def __init__(self) -> None:
        self.resolved_ref = ""


class EndedLaunches:
    """Makes lines of launches. `member` is this agent's name."""

    def __init__(
        self,
        *,
        log: LaunchEventLog,
        member: str,
        tells_relayed: bool,
        clock: Callable[[], float],
    ) -> None:
        self._log = log
        self._member = member
        self._tells_relayed = tells_relayed
        self._clock = clock

    @contextmanager
    def observe(
        self, claims: BuildClaims, *, has_token: bool, is_relayed: bool
    ) -> Iterator[LaunchInProgress]:
        """Tell how the block ends: well, with an error, or given up."""
        launch = LaunchInProgress()
        began_at = self._clock()

        def note(code: str) -> None:
            if is_relayed and not self._tells_relayed:
                return
            self._log.note(self._line(claims, launch, code, has_token, self._clock() - began_at))

        try:
            yield launch
        except ServiceError as error:
            if error.fault is not Fault.REQUEST:  # a bad link is no launch
                note(error.code)
            raise
        except asyncio.CancelledError:
            note(GIVEN_UP)
            raise
        except Exception:
            note(ServiceError.code)
            raise
        note("")

    def _line(
        self,
        claims: BuildClaims,
        launch: LaunchInProgress,
        code: str,
        has_token: bool,
        seconds: float,
    ) -> EndedLaunch:
        asked_for = claims.request.removeprefix("v2/") or claims.audience
        provider, _, raw_spec = asked_for.partition("/")
        return EndedLaunch(
            provider=provider,
            raw_spec=raw_spec,
            resolved_ref=launch.resolved_ref,
            has_build_token=has_token,
            host=self._member,
            request_origin=claims.origin,
            code=code,
            member=self._member,
            attempts=1,
            seconds=seconds,
        )
