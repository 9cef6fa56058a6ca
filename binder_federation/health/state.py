"""Whether a member is well: pure transitions from what is observed to a new `Health`.

    UNKNOWN → UP → SUSPECT → DOWN → RECOVERING (slow start) → UP

Two misses in a row make a member SUSPECT, three more DOWN. A DOWN member needs
passes over a while before it is RECOVERING, and its weight grows from there; one
that was never well yet is UP with its first pass. A member that is SUSPECT goes
back, on a pass, to where it came from: a RECOVERING one starts its slow start anew,
so that a flapping member never gets its full weight in between. A member that is UP
may be in doubt (its launches, or what other replicas hold of it): then it is DEGRADED.

Draining and ejection are axes of their own. An operator drains; outlier detection
ejects for a time, and a slow start follows. Probes go on under both, and when they end
the member is what its probes say.

All times are seconds of one clock, the caller's.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from binder_federation.config.federation import HealthSettings

DEGRADED_FACTOR = 0.3


class MemberState(StrEnum):
    """What a member may be given."""

    UNKNOWN = "unknown"
    """Not probed with a clear answer yet."""
    UP = "up"
    DEGRADED = "degraded"
    """Well enough for a smaller share."""
    SUSPECT = "suspect"
    """Missed probes; out, until it passes one or is DOWN."""
    DOWN = "down"
    RECOVERING = "recovering"
    """Back, in slow start."""
    DRAINING = "draining"
    """An operator wants no new launches here."""

    @property
    def is_well(self) -> bool:
        """Nothing about its health speaks against a launch."""
        return self in WELL_STATES


WELL_STATES = frozenset({MemberState.UP, MemberState.DEGRADED, MemberState.RECOVERING})


class Doubt(StrEnum):
    """Why a member whose probes pass is to get a smaller share."""

    LAUNCHES = "launches"
    """Clearly more of them fail there than elsewhere."""
    VOTES = "votes"
    """Most other replicas of the federation hold it not well."""


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a member's health, and since when.

    `probed` and `probed_since` are the probes' verdict; `state` and `since` are
    what holds, with draining. `misses` and `passes` count in a row, except that
    passes do not clear the misses of a DOWN member: they set how often it is
    probed again if it fails once more.
    """

    probed: MemberState = MemberState.UNKNOWN
    probed_since: float = 0.0
    reason: str = "not_probed"
    misses: int = 0
    missing_since: float | None = None
    """When it missed first, of the misses that a member that was well is in now."""
    passes: int = 0
    passing_since: float | None = None
    last_well_at: float | None = None
    is_slow_start_owed: bool = False
    """It was RECOVERING, or still is: a pass leads there and not to UP."""
    is_draining: bool = False
    draining_since: float = 0.0
    doubt: Doubt | None = None
    doubted_since: float = 0.0
    is_ejected: bool = False
    ejected_until: float | None = None
    """When its last ejection ends, or ended; its slow start begins there."""
    admitted_at: float | None = None
    """When it became a member of a federation that ran already; its slow start begins there."""

    @property
    def state(self) -> MemberState:
        """The state that counts."""
        if self.is_draining:
            return MemberState.DRAINING
        return MemberState.DEGRADED if self._is_degraded else self.probed

    @property
    def since(self) -> float:
        """When `state` began."""
        if self.is_draining:
            return self.draining_since
        if self._is_degraded:
            return max(self.probed_since, self.doubted_since)
        return self.probed_since

    @property
    def _is_degraded(self) -> bool:
        return self.doubt is not None and self.probed is MemberState.UP


def observe_probe(
    health: Health,
    passed: bool,
    reason: str,
    *,
    now: float,
    settings: HealthSettings,
    patience: float = 1.0,
) -> Health:
    """The health after a probe; `reason` is its short code (`ok`, `timeout`, …).

    It takes `patience` times the usual misses until the member is DOWN; with infinite
    patience it stays SUSPECT.
    """
    if passed:
        return _observe_pass(health, reason, now=now, settings=settings)
    return _observe_miss(health, reason, now=now, settings=settings, patience=patience)


def observe_drain(health: Health, is_draining: bool, *, now: float) -> Health:
    """The health after an operator began or ended draining."""
    if is_draining == health.is_draining:
        return health
    return replace(health, is_draining=is_draining, draining_since=now)


def observe_admission(health: Health, admitted_at: float | None, *, now: float) -> Health:
    """The health after the member was admitted; None for one that was there from the start.

    One that is well begins its slow start at once, another one when it is well.
    """
    if admitted_at == health.admitted_at:
        return health
    admitted = replace(health, admitted_at=admitted_at)
    if admitted_at is None or health.probed is not MemberState.UP:
        return admitted
    return replace(_enter_recovering(admitted, now=now), probed_since=admitted_at)


def observe_doubt(health: Health, doubt: Doubt | None, *, now: float) -> Health:
    """The health after what speaks for a smaller share changed."""
    if doubt is health.doubt:
        return health
    since = now if health.doubt is None else health.doubted_since
    return replace(health, doubt=doubt, doubted_since=since)


def observe_ejection(health: Health, *, until: float) -> Health:
    """The health after outlier detection ejected the member."""
    return replace(health, is_ejected=True, ejected_until=until)


def observe_ejection_end(health: Health, *, now: float) -> Health:
    """The health once the time of an ejection may be over."""
    is_over = health.ejected_until is not None and now >= health.ejected_until
    return replace(health, is_ejected=False) if health.is_ejected and is_over else health


def next_probe_seconds(health: Health, *, settings: HealthSettings) -> float:
    """Seconds to the next probe, before jitter.

    A DOWN member's pauses double with each further miss; as soon as it passes
    they are the usual ones, so that it is back when its time is over.
    """
    usual = settings.probe_every_seconds
    if health.probed is not MemberState.DOWN or health.passes > 0:
        return usual
    further = health.misses - _misses_to_down(settings)
    return min(usual * 2.0 ** min(further, 16), max(usual, settings.down_probe_max_seconds))


def effective_weight(
    weight: float, health: Health, *, now: float, settings: HealthSettings
) -> float:
    """The share of a member that is eligible: `weight`, less when in doubt or in slow start.

    SUSPECT, DOWN and an ejection do not lower it, as such a member gets launches in
    panic only, and there the shares are to be the usual ones.
    """
    if health.probed is MemberState.UP and health.doubt is None and health.ejected_until is None:
        return weight
    ramp = min(
        _slow_start(health, now=now, settings=settings),
        _ramp_after_ejection(health, now=now, settings=settings),
    )
    return weight * ramp * (1.0 if health.doubt is None else DEGRADED_FACTOR)


def _slow_start(health: Health, *, now: float, settings: HealthSettings) -> float:
    if health.probed is MemberState.RECOVERING:
        share = (now - health.probed_since) / settings.slow_start_seconds
        return min(1.0, max(settings.slow_start_floor, share))
    return settings.slow_start_floor if health.is_slow_start_owed else 1.0


def _ramp_after_ejection(health: Health, *, now: float, settings: HealthSettings) -> float:
    if health.ejected_until is None or health.is_ejected:
        return 1.0
    share = (now - health.ejected_until) / settings.eject_ramp_seconds
    return min(1.0, max(settings.slow_start_floor, share))


def _observe_pass(health: Health, reason: str, *, now: float, settings: HealthSettings) -> Health:
    passing_since = now if health.passing_since is None else health.passing_since
    passed = replace(
        health,
        reason=reason,
        passes=health.passes + 1,
        missing_since=None,
        passing_since=passing_since,
        last_well_at=now,
        misses=health.misses if health.probed is MemberState.DOWN else 0,
    )
    match health.probed:
        case MemberState.DOWN if health.last_well_at is None:
            # It was not there yet when we began: nobody was moved away from it.
            return _enter_up(replace(passed, misses=0), now=now)
        case MemberState.DOWN:
            has_recovered = (
                passed.passes >= settings.passes_to_recover
                and now - passing_since >= settings.recover_after_seconds
            )
            return _enter_recovering(passed, now=now) if has_recovered else passed
        case MemberState.RECOVERING:
            is_ramp_full = now - health.probed_since >= settings.slow_start_seconds
            return _enter_up(passed, now=now) if is_ramp_full else passed
        case MemberState.SUSPECT if health.is_slow_start_owed:
            return _enter_recovering(passed, now=now)
        case MemberState.UNKNOWN if _is_newly_admitted(health, now=now, settings=settings):
            return replace(
                _enter_recovering(passed, now=now), probed_since=health.admitted_at or now
            )
        case MemberState.SUSPECT | MemberState.UNKNOWN:
            return _enter_up(passed, now=now)
        case _:
            return passed


def _observe_miss(
    health: Health, reason: str, *, now: float, settings: HealthSettings, patience: float
) -> Health:
    is_first = health.misses == 0 and health.probed.is_well
    missed = replace(
        health,
        reason=reason,
        misses=health.misses + 1,
        missing_since=now if is_first else health.missing_since,
        passes=0,
        passing_since=None,
    )
    if health.probed is MemberState.DOWN:
        return missed
    if missed.misses >= patience * _misses_to_down(settings):
        return _enter_down(missed, now=now, settings=settings)
    if health.probed.is_well and missed.misses >= settings.misses_to_suspect:
        return replace(missed, probed=MemberState.SUSPECT, probed_since=now)
    return missed


def _is_newly_admitted(health: Health, *, now: float, settings: HealthSettings) -> bool:
    """Whether its slow start after its admission is not over: a replica may start in between."""
    if health.admitted_at is None:
        return False
    return now - health.admitted_at < settings.slow_start_seconds


def _enter_up(health: Health, *, now: float) -> Health:
    return replace(health, probed=MemberState.UP, probed_since=now, is_slow_start_owed=False)


def _enter_down(health: Health, *, now: float, settings: HealthSettings) -> Health:
    return replace(
        health,
        probed=MemberState.DOWN,
        probed_since=now,
        # The pauses grow from here, however long it took to believe it.
        misses=_misses_to_down(settings),
        # The whole way up is ahead of it again, so nothing is owed until it is RECOVERING.
        is_slow_start_owed=False,
    )


def _enter_recovering(health: Health, *, now: float) -> Health:
    return replace(
        health,
        probed=MemberState.RECOVERING,
        probed_since=now,
        misses=0,
        is_slow_start_owed=True,
    )


def _misses_to_down(settings: HealthSettings) -> int:
    return settings.misses_to_suspect + settings.misses_to_down
