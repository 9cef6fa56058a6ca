"""What a replica must know to go on with a launch that another one began.

Besides the events, that is: what was asked for, the resolved ref, where it failed, and
where it is now. Frozen, and JSON outside.
"""

import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from binder_federation.binder.errors import MemberUnreachable
from binder_federation.binder.events import event_from_json, failed_event
from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.binder.spec import LaunchSpec
from binder_federation.federation.launch_request import LaunchRequest
from binder_federation.federation.outcomes import FailedAttempt
from binder_federation.runtime.bounded import read_json
from binder_federation.runtime.errors import Fault


@dataclass(frozen=True, slots=True)
class Course:
    """Where a launch is now: a member, the attempt's number, and why there, for visitors."""

    member: str
    attempt: int = 1
    phrase: str = ""
    is_certain: bool = True
    """Otherwise only the visitor says so."""


@dataclass(frozen=True, slots=True)
class LaunchState:
    """A launch without its events. `began_at` is in seconds since 1970."""

    request: LaunchRequest
    began_at: float
    resolved_ref: str = ""
    """Empty while it is not resolved."""
    failures: tuple[FailedAttempt, ...] = ()
    course: Course | None = None
    repository: str = ""
    """What the repository turned out to be, where that is not what was asked for."""

    @property
    def resolved(self) -> ResolvedSpec | None:
        """The spec with its resolved ref."""
        if not self.resolved_ref:
            return None
        return ResolvedSpec(self.request.spec.named(self.repository), self.resolved_ref)

    def corrected(self, member: str) -> "LaunchState":
        """The same launch, last seen at `member`: it has failed where it was before that."""
        here = self.course.member if self.course else ""
        if not member or member == here or member in {f.member for f in self.failures}:
            return self
        failures = self.failures
        if here:
            error = MemberUnreachable(f"{here} could not launch this.")
            failures = (*failures, FailedAttempt(here, failed_event(error), error.fault))
        course = Course(member, attempt=len(failures) + 1, is_certain=False)
        return replace(self, failures=failures, course=course)

    def to_json(self) -> str:
        """The state as text."""
        body = {
            "request": {**asdict(self.request), "avoid": sorted(self.request.avoid)},
            "began_at": self.began_at,
            "resolved_ref": self.resolved_ref,
            "repository": self.repository,
            "failures": [
                {"member": f.member, "event": f.event.to_json(), "fault": f.fault.value}
                for f in self.failures
            ],
            "course": asdict(self.course) if self.course else None,
        }
        return json.dumps(body, separators=(",", ":"))


def state_from_json(text: str | bytes) -> LaunchState:
    """What `to_json` told. ValueError when it is something else."""
    try:
        return _state(read_json(text))
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("this is not the state of a launch") from error


def _state(body: dict[str, Any]) -> LaunchState:
    request = dict(body["request"])
    spec = LaunchSpec(**request.pop("spec"))
    avoid = frozenset(request.pop("avoid"))
    return LaunchState(
        request=LaunchRequest(spec=spec, avoid=avoid, **request),
        began_at=float(body["began_at"]),
        resolved_ref=str(body["resolved_ref"]),
        repository=str(body.get("repository", "")),
        failures=tuple(
            FailedAttempt(f["member"], event_from_json(f["event"]), Fault(f["fault"]))
            for f in body["failures"]
        ),
        course=Course(**body["course"]) if body["course"] else None,
    )
