"""Alerts about one member. Of what replicas differ about, most must say it."""

from monitoring.metrics import GROUP
from monitoring.rules.model import Alert, Severity

_BY_MEMBER = f"{GROUP}, member"
_FOURTEEN_DAYS = 14 * 86_400
_MINUTE = 60
_FAILED = f"sum by ({GROUP}) (member:binderfed_builds_failed:increase30m)"
_MADE = f"sum by ({GROUP}) (member:binderfed_builds_made:increase30m)"
_OF_AGENTS = 'binderfed_member_info{kind="agent"}'

MEMBERS = (
    Alert(
        "BinderMemberDown",
        'member:binderfed_member_state:avg{state="down"} > 0.5',
        2 * _MINUTE,
        Severity.WARNING,
        "Member {{ $labels.member }} is down",
        "{{ $value | humanizePercentage }} of the replicas do not reach {{ $labels.member }}, or "
        "it fails its own checks. Launches go to other members.",
    ),
    Alert(
        "BinderMemberEjectedOften",
        f"max by ({_BY_MEMBER}) (changes(binderfed_member_ejected[1h])) >= 6",
        0,
        Severity.WARNING,
        "Member {{ $labels.member }} is ejected again and again",
        "It went out and in {{ $value }} times within an hour: it answers probes, but launches "
        "fail there.",
    ),
    Alert(
        "BinderMemberCertificateEndsSoon",
        f"min by ({_BY_MEMBER}) (binderfed_member_tls_not_after_timestamp_seconds) - time() "
        f"< {_FOURTEEN_DAYS}",
        10 * _MINUTE,
        Severity.WARNING,
        "The certificate of {{ $labels.member }} ends in {{ $value | humanizeDuration }}",
        "When it has ended, browsers and the federation refuse the member.",
    ),
    Alert(
        "BinderReportMissing",
        f"min by ({_BY_MEMBER}) (binderfed_member_report_age_seconds) > 120 "
        f"or 0 * (group by ({_BY_MEMBER}) ({_OF_AGENTS}) "
        f"unless on ({_BY_MEMBER}) binderfed_member_report_age_seconds)",
        3 * _MINUTE,
        Severity.WARNING,
        "No report comes from {{ $labels.member }}",
        "The last one is {{ $value | humanizeDuration }} old (0s: there never was one). Its load "
        "and images are not known, and it gets fewer launches than it could take.",
    ),
    Alert(
        "BinderBuildsFailEverywhere",
        f"({_FAILED} / ({_FAILED} + ({_MADE} or 0 * {_FAILED}))) > 0.8 and on ({GROUP}) "
        f"count by ({GROUP}) (member:binderfed_builds_failed:increase30m > 3) > 1",
        5 * _MINUTE,
        Severity.WARNING,
        "{{ $value | humanizePercentage }} of builds fail, at several members",
        "That is no member's fault: something that all builds need is broken, such as a package "
        "mirror, a base image or a provider. Images that are there already go on to launch.",
    ),
)
