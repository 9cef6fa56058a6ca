"""How an attempt at a member ended, and what the visitor is told when all have failed.

Pure. Only what is the repository's fault is final, once a second member was asked
(`verdicts.py`); anything else may go better at another member. Refusals (quotas, rate
limits, bans) are no failures: the member is well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from binder_federation.binder.errors import (
    MemberLimitsUs,
    MemberRefused,
    NoEligibleMember,
    QuotaExceeded,
    RepositoryQuotaExceeded,
)
from binder_federation.binder.events import Event, Phase, failed_event
from binder_federation.runtime.errors import Fault, ServiceError

QUOTA_CODES = frozenset({QuotaExceeded.code, RepositoryQuotaExceeded.code})
REFUSAL_CODES = QUOTA_CODES | {MemberRefused.code, MemberLimitsUs.code}
RETRY_FULL_SECONDS = 30.0
RETRY_NOBODY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """What a member answered instead of a notebook."""

    member: str
    event: Event
    fault: Fault

    @property
    def is_final(self) -> bool:
        """Whether another member would not do better, if this one is right."""
        return self.fault is Fault.REPOSITORY

    @property
    def is_quota(self) -> bool:
        """Whether the member was only full."""
        return self.event.fields.get("code") in QUOTA_CODES

    @property
    def is_refusal(self) -> bool:
        """Whether the member is well, and only did not take this launch."""
        return self.event.fields.get("code") in REFUSAL_CODES

    @property
    def is_closed_to_all(self) -> bool:
        """Whether it is no use to send it other launches just now."""
        return self.event.fields.get("code") in (QuotaExceeded.code, MemberLimitsUs.code)

    @property
    def sentence(self) -> str:
        """What went wrong, for people."""
        return self.event.message.strip() or f"{self.member} could not launch this."


def judge(member: str, event: Event, *, phase_before: Phase) -> FailedAttempt:
    """Whose failure a member's `failed` event is.

    Our agents say so in `fault`, and a BinderHub's events are given one
    (`binderhub/failures.py`). Where it is missing, a failure while building is the
    repository's, as is a status in the 400s; everything else is the member's.
    """
    return FailedAttempt(member, event, _fault(event, phase_before))


def _fault(event: Event, phase_before: Phase) -> Fault:
    try:
        return Fault(event.fields.get("fault", ""))
    except ValueError:
        pass
    status = event.fields.get("status_code")
    if isinstance(status, int) and not isinstance(status, bool):
        return Fault.REPOSITORY if 400 <= status < 500 else Fault.MEMBER
    return Fault.REPOSITORY if phase_before is Phase.BUILDING else Fault.MEMBER


def final_failure(failures: Sequence[FailedAttempt], refused: Mapping[str, str]) -> Event:
    """The last event of a launch that no member could serve.

    `failures` are the attempts that were made; `refused` says of every other member why
    it was not asked.
    """
    for number, attempt in enumerate(failures, start=1):
        if attempt.is_final:  # nobody else could say whether that is so
            return attempt.event.adding(member=attempt.member, attempt=number)
    others = {name: why for name, why in refused.items() if name not in _members(failures)}
    if not failures:
        return failed_event(nobody_error(others))
    if all(attempt.is_quota for attempt in failures) and _only_full(others):
        return _all_full(failures)
    last = next((a for a in reversed(failures) if not a.is_quota), failures[-1])
    tried = ", ".join(dict.fromkeys(attempt.member for attempt in failures))
    event = last.event.adding(member=last.member, tried=sorted(_members(failures)))
    if len(failures) == 1:
        return event.adding(retryable=True)
    return Event(
        Phase.FAILED,
        f"{last.sentence} {len(failures)} members were tried: {tried}.\n",
        {**event.fields, "retryable": True},
    )


def _members(failures: Sequence[FailedAttempt]) -> set[str]:
    return {attempt.member for attempt in failures}


def _only_full(refused: Mapping[str, str]) -> bool:
    return all(why == "full" for why in refused.values())


def _all_full(failures: Sequence[FailedAttempt]) -> Event:
    if all(a.event.fields.get("code") == RepositoryQuotaExceeded.code for a in failures):
        return failed_event(
            RepositoryQuotaExceeded(
                "This repository has as many sessions open as it may have.",
                advice="Try again when some of them have ended.",
                retry_after_seconds=RETRY_FULL_SECONDS,
            )
        )
    return failed_event(_full())


def nobody_error(refused: Mapping[str, str]) -> ServiceError:
    """Why nobody may take a launch; `refused` says it of every member."""
    if refused and "full" in refused.values() and set(refused.values()) <= {"full", "down"}:
        return _full()
    details = ", ".join(f"{name} ({why})" for name, why in sorted(refused.items()))
    return NoEligibleMember(
        f"No member can take a launch now: {details}."
        if details
        else "This federation has no members yet.",
        advice="This page tries again by itself; the operators see it too.",
        retry_after_seconds=RETRY_NOBODY_SECONDS,
    )


def _full() -> QuotaExceeded:
    return QuotaExceeded(
        "All members are full just now.",
        advice="Sessions end all the time: try again in half a minute.",
        retry_after_seconds=RETRY_FULL_SECONDS,
    )
