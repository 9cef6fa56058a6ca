"""The report as JSON, for `/api/status` (openapi.yaml: `Status`). Times are RFC 3339, in UTC."""

from typing import Any

from binder_federation.federation.history.episodes import Episode
from binder_federation.federation.history.launch_counts import Sums
from binder_federation.federation.status.report import Launched, MemberStatus, StatusReport
from binder_federation.federation.status.words import episode_details, episode_title, iso


def status_body(report: StatusReport) -> dict[str, Any]:
    """All of the report, but for when it was made."""
    return {
        "headline": report.headline,
        "level": report.level,
        "notes": list(report.notes),
        "launches": _launched(report.launched, report.tells_readiness),
        "members": [_member(each, report.tells_readiness) for each in report.members],
        "incidents": [_episode(each, report.at) for each in report.episodes],
    }


def _member(member: MemberStatus, tells_readiness: bool) -> dict[str, Any]:
    sessions = member.sessions
    return {
        "name": member.name,
        "kind": member.kind,
        "state": member.state,
        "words": member.words,
        "level": member.level,
        "takes_launches": member.takes_launches,
        "reason": member.reason_text,
        "since": iso(member.since),
        "until": _iso(member.drain_until),
        "weight": member.weight,
        "effective_weight": round(member.effective_weight, 2),
        "sessions": sessions
        and {
            "running": sessions.running,
            "pending": sessions.pending,
            "capacity": sessions.capacity,
        },
        "launches": _launched(member.launched, tells_readiness),
        "history": {
            "days": member.days.known_days,
            "incidents": member.days.incidents,
            "seconds_out": round(member.days.out_seconds),
            "well_share": _rounded(member.days.well_share, 5),
        },
    }


def _launched(launched: Launched, tells_readiness: bool) -> dict[str, Any]:
    return {
        "last_hour": _sums(launched.hour, tells_readiness),
        "last_day": _sums(launched.day, tells_readiness),
        "last_90_days": _sums(launched.quarter, tells_readiness),
    }


def _sums(sums: Sums, tells_readiness: bool) -> dict[str, Any]:
    return {
        "launches": sums.launches,
        "ready": sums.ready if tells_readiness else None,
        "first_attempts": sums.first if tells_readiness else None,
        "first_attempt_success": _rounded(sums.first_attempt_share, 4),
        "seconds_to_ready_median": _rounded(sums.median_seconds, 1),
    }


def _episode(episode: Episode, now: float) -> dict[str, Any]:
    return {
        "id": episode.id,
        "member": episode.member,
        "kind": episode.kind.value,
        "title": episode_title(episode, now=now),
        "details": episode_details(episode, now=now),
        "reason": episode.reason,
        "began_at": iso(episode.began_at),
        "ended_at": _iso(episode.ended_at),
        "until": _iso(episode.until),
        "times": episode.times,
    }


def _iso(at: float | None) -> str | None:
    return None if at is None else iso(at)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
