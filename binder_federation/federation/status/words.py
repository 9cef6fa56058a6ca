"""States, reasons, times and shares in plain words. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime

from binder_federation.federation.history.conditions import LAUNCHES_FAILED
from binder_federation.federation.history.episodes import Episode, EpisodeKind
from binder_federation.federation.history.launch_counts import Sums
from binder_federation.federation.steering.document import DrainOrder

STATES: Mapping[str, tuple[str, str]] = {
    "up": ("good", "Up"),
    "degraded": ("fair", "Up, with a smaller share"),
    "recovering": ("fair", "Coming back"),
    "suspect": ("fair", "Not answering well"),
    "ejected": ("fair", "Paused after failures"),
    "down": ("bad", "Down"),
    "draining": ("paused", "In maintenance"),
    "joining": ("unknown", "Joining"),
    "unknown": ("unknown", "Not known yet"),
}
"""State → level and words. A level has an icon and a colour."""

_REASONS: Mapping[str, str] = {
    "not_probed": "it has not been asked yet",
    "timeout": "it does not answer in time",
    "refused": "it refuses connections",
    "reset": "it breaks connections off",
    "unreachable": "it cannot be reached",
    "unresolved": "its name is not found",
    "tls": "its certificate is not accepted",
    "malformed": "it answers something else than a Binder service",
    "not_ok": "it says that it is not well",
    "probe_crashed": "it could not be asked",
    LAUNCHES_FAILED: "launches failed there",
}
"""For the codes of `health/probes.py`."""


def reason_words(code: str) -> str:
    """Why, as the end of a sentence; empty where there is nothing to say."""
    if not code or code == "ok":
        return ""
    kind, _, what = code.partition(":")
    if kind == "check":
        return f"its check “{what}” fails"
    if code.startswith("status_"):
        return f"it answers with status {code.removeprefix('status_')}"
    return _REASONS.get(code, code.replace("_", " "))


def drain_word(order: DrainOrder | None) -> tuple[str, float | None]:
    """Why an operator drains a member, and until when; for `history/conditions.py`."""
    if order is None or not order.is_draining:
        return "", None
    return order.word.reason, order.word.until


def duration(seconds: float) -> str:
    """`under a minute`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    minutes = int(max(0.0, seconds) // 60)
    if minutes == 0:
        return "under a minute"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def clock_time(at: float, *, now: float) -> str:
    """`21:04 UTC`, with the day where that is another one."""
    then = datetime.fromtimestamp(at, UTC)
    is_today = then.date() == datetime.fromtimestamp(now, UTC).date()
    day = "" if is_today else f"{then.day} {then:%b}, "
    return f"{day}{then:%H:%M} UTC"


def iso(at: float) -> str:
    """RFC 3339, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def share(value: float | None) -> str:
    """`97.3 %`; a dash where nothing is known. Only what is whole is told as 100 %."""
    if value is None:
        return "–"
    shown = min(99.9, value * 100) if value < 1 else 100.0
    return f"{shown:.0f} %" if shown in (0.0, 100.0) else f"{shown:.1f} %"


def seconds(sums: Sums) -> str:
    """The median time to ready."""
    value = sums.median_seconds
    if value is None:
        return "–"
    return f"{value:.0f} s" if value < 100 else f"{value / 60:.0f} min"


def episode_title(episode: Episode, *, now: float) -> str:
    """`uni-x was down for 12 min`."""
    name = episode.member
    end = now if episode.ended_at is None else episode.ended_at
    length = duration(end - episode.began_at)
    if episode.kind is EpisodeKind.MAINTENANCE:
        return f"{name} is in maintenance" if episode.is_open else f"{name}: maintenance, {length}"
    what = "paused" if episode.reason == LAUNCHES_FAILED else "down"
    return f"{name} is {what}" if episode.is_open else f"{name} was {what} for {length}"


def episode_details(episode: Episode, *, now: float) -> str:
    """The reason, how often it came back, and when it is to end."""
    why = episode_why(episode)
    if not episode.is_open or episode.until is None:
        return why
    return f"{why} Planned until {clock_time(episode.until, now=now)}.".strip()


def episode_why(episode: Episode) -> str:
    """The reason, and how often it came back."""
    if episode.kind is EpisodeKind.MAINTENANCE:
        why = episode.reason
    else:
        why = reason_words(episode.reason)
    parts = [why[:1].upper() + why[1:]] if why else []
    if episode.times > 1:
        parts.append(f"It happened {episode.times} times in a row")
    return " ".join(f"{part.rstrip('.')}." for part in parts)
