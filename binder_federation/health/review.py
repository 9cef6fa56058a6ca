"""One look at all members together: probes, launches and the other replicas' votes.

Pure but for the votes, which are asked for here: `votes(member, now)` gives what each
other replica holds of a member, of late. Whoever carries them is not known here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from binder_federation.config.federation import HealthSettings
from binder_federation.health.outliers import OutlierRecord
from binder_federation.health.state import Doubt, Health, MemberState
from binder_federation.health.suspicion import (
    SelfSuspicion,
    find_failing_together,
    find_missing_together,
    suspect_self,
)
from binder_federation.health.votes import Tally, read_votes, tally

Votes = Callable[[str, float], Mapping[str, str]]
"""Of a member and the time: the other replicas' verdicts (`MemberState`) by replica."""


@dataclass(frozen=True, slots=True)
class Review:
    """What came of it."""

    tally: Tally
    suspicion: SelfSuspicion


def nobody_votes(_member: str, _now: float) -> Mapping[str, str]:
    """The votes of a federation of one replica."""
    return {}


def review(
    healths: Mapping[str, Health],
    records: Mapping[str, OutlierRecord],
    before: SelfSuspicion,
    *,
    tally: Tally | None,
    votes: Votes,
    now: float,
    settings: HealthSettings,
) -> Review:
    """Look at all members at `now`; `tally` is the last count of votes, None to count anew."""
    counted = count_votes(healths, votes, now=now) if tally is None else tally
    suspicion = suspect_self(
        before,
        missing=find_missing_together(healths, settings=settings),
        failing=find_failing_together(records, now=now, settings=settings),
        tally=counted,
        members=len(healths),
        now=now,
    )
    return Review(counted, suspicion)


def count_votes(healths: Mapping[str, Health], votes: Votes, *, now: float) -> Tally:
    """Compare our own verdicts with the other replicas'."""
    if votes is nobody_votes:
        return Tally()
    own = {name: own_verdict(health) for name, health in healths.items()}
    return tally(own, {name: read_votes(votes(name, now)) for name in healths})


def own_verdict(health: Health) -> MemberState:
    """What our own probes and launches say of a member; others' votes are left out."""
    if health.is_ejected and health.probed.is_well:
        return MemberState.SUSPECT
    if health.doubt is Doubt.LAUNCHES and health.probed is MemberState.UP:
        return MemberState.DEGRADED
    return health.probed


def find_doubt(is_doubtful: bool, *, is_doubted: bool) -> Doubt | None:
    """Why the member gets a smaller share: our own launches first, then what others hold."""
    if is_doubtful:
        return Doubt.LAUNCHES
    return Doubt.VOTES if is_doubted else None
