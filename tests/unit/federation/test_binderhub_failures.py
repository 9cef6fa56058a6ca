"""A BinderHub's own words, read: whose failure it is, and whether it is one."""

from typing import Any

import pytest

from binder_federation.binder.events import Event, Phase, event_from_json
from binder_federation.federation.binderhub.failures import read_failure
from binder_federation.federation.outcomes import FailedAttempt, judge
from binder_federation.runtime.errors import Fault

BANNED_SPEC = (
    "Sorry, o/r/HEAD has been temporarily disabled from launching. "
    "Please contact admins for more info!\n"
)
WAITING, FETCHING, BUILDING = Phase.WAITING, Phase.FETCHING, Phase.BUILDING
PUSHING, BUILT, LAUNCHING = Phase.PUSHING, Phase.BUILT, Phase.LAUNCHING


def read(phase_before: Phase, message: str, **fields: Any) -> FailedAttempt:
    event = read_failure("hub", Event(Phase.FAILED, message, fields), phase_before=phase_before)
    return judge("hub", event, phase_before=phase_before)


@pytest.mark.parametrize(
    ("before", "message", "fields", "code"),
    [
        (WAITING, "Too many users on this BinderHub! Try again soon.\n", {}, "pod_quota"),
        (BUILT, "Too many users on this BinderHub! Try again soon.\n", {}, "pod_quota"),
        (BUILT, "Too many users running https://x/o/r! Try again soon.\n", {}, "repo_quota"),
        (
            WAITING,
            "Rate limit exceeded. Try again in 3600 seconds.\n",
            {"status_code": 429},
            "member_limits_us",
        ),
        (WAITING, "Requests from x are not allowed\n", {"status_code": 403}, "member_refused"),
        (WAITING, "Invalid build token\n", {"status_code": 403}, "member_refused"),
        (WAITING, "Building but not launching…\n", {"status_code": 400}, "member_refused"),
        (WAITING, BANNED_SPEC, {}, "member_refused"),
        (WAITING, "No provider found for prefix ckan\n", {}, "member_refused"),
        (FETCHING, "fatal: unable to access a submodule\n", {}, "member_refused"),
    ],
)
def test_a_refusal_says_nothing_against_the_member(
    before: Phase, message: str, fields: dict[str, Any], code: str
) -> None:
    failure = read(before, message, **fields)

    assert failure.event.fields["code"] == code
    assert failure.is_refusal
    assert not failure.is_final, "another member may take it"
    assert failure.sentence.startswith(("hub", "fatal"))


@pytest.mark.parametrize(
    ("before", "message", "fields", "fault", "code"),
    [
        (BUILDING, "The command '/bin/sh' returned 1\n", {}, Fault.REPOSITORY, "build_failed"),
        (BUILDING, "", {}, Fault.REPOSITORY, "build_failed"),
        (PUSHING, "denied: access forbidden\n", {}, Fault.MEMBER, "member_build_failed"),
        (WAITING, "Error resolving ref for gh:o/r: 403\n", {}, Fault.MEMBER, "member_build_failed"),
        (LAUNCHING, "Failed\n", {"status_code": 500}, Fault.MEMBER, "launch_failed"),
        (LAUNCHING, "", {"status_code": 500}, Fault.MEMBER, "launch_failed"),
        (BUILT, "", {}, Fault.MEMBER, "launch_failed"),
    ],
)
def test_a_failure_is_somebodys(
    before: Phase, message: str, fields: dict[str, Any], fault: Fault, code: str
) -> None:
    failure = read(before, message, **fields)

    assert (failure.fault, failure.event.fields["code"]) == (fault, code)
    assert not failure.is_refusal
    assert failure.is_final is (fault is Fault.REPOSITORY)
    assert len(failure.sentence) > 5, "the visitor is told something"


def test_the_old_word_for_failed_is_understood() -> None:
    assert event_from_json('{"phase": "failure", "message": "no"}').phase is Phase.FAILED
