"""Whose failure it is, and what the visitor is told in the end."""

import pytest

from binder_federation.binder.errors import QuotaExceeded, RepositoryQuotaExceeded
from binder_federation.binder.events import Event, Phase, failed_event
from binder_federation.federation.outcomes import FailedAttempt, final_failure, judge
from binder_federation.runtime.errors import Fault


@pytest.mark.parametrize(
    ("fields", "phase", "expected"),
    [
        ({"fault": "repository"}, Phase.LAUNCHING, Fault.REPOSITORY),
        ({"fault": "member"}, Phase.BUILDING, Fault.MEMBER),
        ({"fault": "nonsense"}, Phase.BUILDING, Fault.REPOSITORY),
        ({}, Phase.BUILDING, Fault.REPOSITORY),
        ({}, Phase.LAUNCHING, Fault.MEMBER),
        ({}, Phase.WAITING, Fault.MEMBER),
        ({"status_code": 404}, Phase.WAITING, Fault.REPOSITORY),
        ({"status_code": 500}, Phase.BUILDING, Fault.MEMBER),
    ],
)
def test_a_failure_is_judged(fields: dict[str, object], phase: Phase, expected: Fault) -> None:
    event = Event(Phase.FAILED, "no\n", fields)

    assert judge("alpha", event, phase_before=phase).fault is expected


def attempt(member: str, error: QuotaExceeded) -> FailedAttempt:
    return FailedAttempt(member, failed_event(error), error.fault)


def test_all_members_full() -> None:
    last = final_failure([attempt("alpha", QuotaExceeded("full"))], {"beta": "full"})

    assert last.fields["code"] == "pod_quota"


def test_the_repository_has_its_share() -> None:
    last = final_failure([attempt("alpha", RepositoryQuotaExceeded("enough"))], {})

    assert last.fields["code"] == "repo_quota"


def test_nobody_is_there() -> None:
    last = final_failure([], {"alpha": "down", "beta": "draining"})

    assert last.fields["code"] == "no_eligible_member"
    assert "alpha (down), beta (draining)" in last.message


def test_a_failure_outweighs_a_full_member() -> None:
    broken = FailedAttempt("beta", Event(Phase.FAILED, "The hub is broken.\n"), Fault.MEMBER)

    last = final_failure([broken, attempt("alpha", QuotaExceeded("alpha is full"))], {})

    assert last.message == "The hub is broken. 2 members were tried: beta, alpha.\n"
