"""Whose failure a BinderHub's `failed` event is, and what to call it.

Our agents say so themselves; BinderHub sends a sentence, at best with a `status_code`.
Its sentences are read here, and its events get the fields of ours, so that nothing
further on needs to know who sent them (`outcomes.judge`). What it says is in
binderhub/builder.py, base.py and quota.py: a quota is told without a status, before the
build or before the launch; a rate limit and a ban are errors 429 and 403, which its event
stream tells as events under status 200.

The spec was parsed and its ref resolved by us, so a status in the 400s is no fault of the
repository's: the member does not want this launch. That is a refusal, and no failure.
"""

from binder_federation.binder.errors import (
    BuildFailed,
    LaunchFailed,
    MemberBuildFailed,
    MemberLimitsUs,
    MemberRefused,
    QuotaExceeded,
    RepositoryQuotaExceeded,
)
from binder_federation.binder.events import Event, Phase, failed_event
from binder_federation.runtime.errors import ServiceError

_FULL = "Too many users on this BinderHub"
_REPOSITORY_FULL = "Too many users running "
_UNKNOWN_PROVIDER = "No provider found for prefix "
_BANNED = "has been temporarily disabled from launching"
_AFTER_THE_BUILD = frozenset({Phase.BUILT, Phase.LAUNCHING})


def read_failure(member: str, event: Event, *, phase_before: Phase) -> Event:
    """The event as one of our agents would have sent it, with `code`, `fault` and a sentence.

    `phase_before` is the last phase that the member told.
    """
    said = event.message.strip()
    status = event.fields.get("status_code")
    if isinstance(status, int):
        error = _from_status(member, status, said)
    else:
        error = _from_sentence(member, said) or _from_phase(member, said, phase_before)
    return failed_event(error)


def _from_status(member: str, status: int, said: str) -> ServiceError:
    if status == 429:
        return MemberLimitsUs(f"{member} takes no more launches from here for now.")
    if 400 <= status < 500:
        return MemberRefused(f"{member} does not take this launch: {said or status}")
    return LaunchFailed(said or f"{member} could not launch this.")


def _from_sentence(member: str, said: str) -> ServiceError | None:
    if said.startswith(_FULL):
        return QuotaExceeded(f"{member} is full.")
    if said.startswith(_REPOSITORY_FULL):
        return RepositoryQuotaExceeded(f"{member} has as many sessions of this as it may have.")
    if said.startswith(_UNKNOWN_PROVIDER) or _BANNED in said:
        return MemberRefused(f"{member} does not take this launch: {said}")
    return None


def _from_phase(member: str, said: str, phase_before: Phase) -> ServiceError:
    if phase_before is Phase.BUILDING:
        # repo2docker does not always say anything: the failure is in the log above it.
        return BuildFailed(said or "The build failed; its log above says why.")
    if phase_before is Phase.FETCHING:
        # The host of a submodule, or the member's network: nothing to hold against the member.
        return MemberRefused(said or f"{member} could not fetch the repository.")
    if phase_before is Phase.PUSHING:
        return MemberBuildFailed(said or f"{member} could not push the image to its registry.")
    if phase_before in _AFTER_THE_BUILD:
        return LaunchFailed(said or f"{member} could not start a server.")
    return MemberBuildFailed(said or f"{member} could not begin this launch.")
