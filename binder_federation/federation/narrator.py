"""What a visitor is told about one attempt: who, why, how long it will take.

Adds `member`, `attempt`, `reason_phrase` and `eta_seconds` to a member's events,
and makes the one line that a change of member is worth.
"""

from collections.abc import Callable

from binder_federation.binder.events import Event, Phase
from binder_federation.federation.core.choose import Decision
from binder_federation.federation.core.eta import seconds_left
from binder_federation.federation.outcomes import FailedAttempt


class Narrator:
    """Follows one attempt. `phase` is the last one that its member told."""

    def __init__(self, decision: Decision, attempt: int, *, clock: Callable[[], float]) -> None:
        self._decision = decision
        self._attempt = attempt
        self._clock = clock
        self._phase_began_at = clock()
        self.phase = Phase.WAITING

    def introduction(self, failed_before: FailedAttempt | None) -> Event:
        """The first event of the attempt: the member and why it was chosen."""
        phrase = self._decision.phrase
        if failed_before is None:
            return self._add(Event(Phase.WAITING, f"{phrase}.\n"))
        if failed_before.is_final:
            message = (
                f"{failed_before.sentence} So says {failed_before.member}. "
                f"Trying once more at {self._decision.member}, to be sure.\n"
            )
        else:
            message = f"{failed_before.sentence} Going on at {self._decision.member}.\n"
        return self._add(Event(Phase.WAITING, message, {"failover": True}))

    def tell(self, event: Event) -> Event:
        """The member's event, with what the federation knows."""
        if event.phase is not self.phase:
            self.phase = event.phase
            self._phase_began_at = self._clock()
        return self._add(event)

    def _add(self, event: Event) -> Event:
        return event.adding(
            member=self._decision.member,
            attempt=self._attempt,
            reason_phrase=self._decision.phrase,
            eta_seconds=self._eta(event.phase),
        )

    def _eta(self, phase: Phase) -> float:
        assert self._decision.chosen is not None  # noqa: S101 - a narrator tells of a choice
        elapsed = self._clock() - self._phase_began_at
        return round(seconds_left(self._decision.chosen, phase, phase_elapsed_seconds=elapsed), 1)
