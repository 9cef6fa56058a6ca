"""What is known of a pre-build: of each member, and of the whole. JSON outside.

A pre-build is shown to whoever knows its id, at any replica, so nothing in it is secret.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from binder_federation.binder.events import Event, Phase
from binder_federation.runtime.errors import Fault, ServiceError


class MemberOutcome(StrEnum):
    """How it stands at one member."""

    WAITING = "waiting"
    BUILDING = "building"
    """The member was asked and works on it."""
    READY = "ready"
    """It has the image."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """It was not asked; the message says why."""

    @property
    def is_final(self) -> bool:
        """Nothing follows."""
        return self in (MemberOutcome.READY, MemberOutcome.FAILED, MemberOutcome.SKIPPED)


class Outcome(StrEnum):
    """How the whole ended."""

    READY = "ready"
    """Every member that was named has the image."""
    PARTLY = "partly"
    FAILED = "failed"


@dataclass(slots=True)
class MemberBuild:
    """One member's part. Times are in seconds since 1970."""

    member: str
    outcome: MemberOutcome = MemberOutcome.WAITING
    phase: str = ""
    message: str = ""
    code: str = ""
    fault: str = ""
    image: str = ""
    was_there: bool = False
    began_at: float | None = None
    ended_at: float | None = None

    def skip(self, why: str) -> None:
        """It is not asked."""
        self.outcome, self.message = MemberOutcome.SKIPPED, why

    def begin(self, first_word: str, *, now: float) -> None:
        """It is asked."""
        self.outcome, self.message, self.began_at = MemberOutcome.BUILDING, first_word, now

    def saw(self, event: Event) -> None:
        """It said something."""
        self.phase = event.phase.value
        if event.message.strip():
            self.message = event.message.strip()[-500:]

    def end(self, event: Event, *, now: float) -> None:
        """Its final event."""
        self.saw(event)
        self.ended_at = now
        if event.phase is Phase.READY:
            self.outcome = MemberOutcome.READY
            self.image = str(event.fields.get("imageName", ""))
            self.was_there = "Found built image" in event.message
        else:
            self.outcome = MemberOutcome.FAILED
            self.code = str(event.fields.get("code") or "failed")
            self.fault = str(event.fields.get("fault") or Fault.MEMBER.value)

    def fail(self, error: ServiceError, *, now: float) -> None:
        """It broke off, or refused."""
        self.outcome, self.ended_at = MemberOutcome.FAILED, now
        self.message, self.code, self.fault = error.message, error.code, error.fault.value

    def to_json(self) -> dict[str, Any]:
        """As the API tells it."""
        body: dict[str, Any] = {"member": self.member, "outcome": self.outcome.value}
        texts = {name: getattr(self, name) for name in ("phase", "message", "code", "fault")}
        body |= {name: text for name, text in texts.items() if text}
        if self.outcome is MemberOutcome.READY:
            body |= {"image": self.image, "was_there": self.was_there}
        if self.began_at is not None and self.ended_at is not None:
            body["seconds"] = round(max(0.0, self.ended_at - self.began_at), 1)
        return body


@dataclass(slots=True)
class Prebuild:
    """One pre-build: of `path` (`<provider>/<spec>`), at the members that `wanted` says."""

    id: str
    path: str
    wanted: tuple[str, ...] | str
    """Names, or `all`, or `one`."""
    began_at: float
    resolved_ref: str = ""
    members: list[MemberBuild] = field(default_factory=list)
    error: ServiceError | None = None
    """It came to no member at all."""
    ended_at: float | None = None

    @property
    def outcome(self) -> Outcome | None:
        """None while it is under way."""
        if self.ended_at is None:
            return None
        ready = [each.outcome is MemberOutcome.READY for each in self.members]
        if self.wanted == "one":
            return Outcome.READY if any(ready) else Outcome.FAILED
        if ready and all(ready):
            return Outcome.READY
        return Outcome.PARTLY if any(ready) else Outcome.FAILED

    def to_json(self, *, now: float) -> dict[str, Any]:
        """As the API tells it; `now` is when it was so."""
        outcome = self.outcome
        body: dict[str, Any] = {
            "id": self.id,
            "spec": self.path,
            "wanted": self.wanted if isinstance(self.wanted, str) else list(self.wanted),
            "state": "ended" if outcome else "running",
            "outcome": outcome.value if outcome else None,
            "ok": outcome is Outcome.READY if outcome else None,
            "resolved_ref": self.resolved_ref,
            "members": [each.to_json() for each in self.members],
            "began_at": round(self.began_at, 3),
            "updated_at": round(now, 3),
        }
        if self.error is not None:
            body["error"] = self.error.to_json()
        return body
