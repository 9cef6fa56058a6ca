"""What a pre-build tells of itself, and whom it asks."""

import pytest

from binder_federation.binder.events import Event, Phase
from binder_federation.federation.core.snapshot import Load, MemberView
from binder_federation.federation.prebuilds.plan import first_word, why_not
from binder_federation.federation.prebuilds.records import LOST_AFTER_SECONDS, as_read
from binder_federation.federation.prebuilds.state import MemberBuild, MemberOutcome, Prebuild
from binder_federation.health.state import MemberState


def member(state: MemberState = MemberState.UP, **changes: object) -> MemberView:
    return MemberView(name="alpha", state=state, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (member(), ""),
        (member(load=Load(capacity=0)), ""),
        (member(MemberState.SUSPECT, is_ejected=True), ""),
        (member(MemberState.DOWN), "down"),
        (member(MemberState.UNKNOWN), "not been probed"),
        (member(is_draining=True), "draining"),
        (member(is_compatible=False, incompatibility="it speaks 9"), "it speaks 9"),
        (member(load=Load(capacity=5, can_build=False)), "no room for builds"),
    ],
)
def test_only_who_cannot_make_an_image_is_left_out(view: MemberView, words: str) -> None:
    assert words in why_not(view)
    assert bool(why_not(view)) == bool(words)


def test_a_member_full_of_builds_is_asked_and_that_is_said() -> None:
    busy = member(load=Load(capacity=5, build_slots=2, building=2))
    idle = member(load=Load(capacity=5, build_slots=2, building=1))

    assert "build slots are taken" in first_word(busy)
    assert first_word(idle) == ""


@pytest.mark.parametrize(
    ("wanted", "outcomes", "expected"),
    [
        ("all", ["ready", "ready"], "ready"),
        ("all", ["ready", "skipped"], "partly"),
        ("all", ["failed", "skipped"], "failed"),
        ("all", [], "failed"),
        ("one", ["failed", "ready"], "ready"),
        ("one", ["failed"], "failed"),
    ],
)
def test_how_the_whole_ended(wanted: str, outcomes: list[str], expected: str) -> None:
    prebuild = Prebuild("id", "gh/o/r/HEAD", wanted, began_at=0.0)
    prebuild.members = [MemberBuild(str(n), MemberOutcome(o)) for n, o in enumerate(outcomes)]
    assert prebuild.outcome is None

    prebuild.ended_at = 1.0
    assert prebuild.outcome == expected


def test_a_binderhub_that_says_nothing_of_faults_failed_for_its_own_sake() -> None:
    part = MemberBuild("alpha")
    part.begin("", now=1.0)
    part.end(Event(Phase.FAILED, "No.\n"), now=3.5)

    assert part.to_json() == {
        "member": "alpha",
        "outcome": "failed",
        "phase": "failed",
        "message": "No.",
        "code": "failed",
        "fault": "member",
        "seconds": 2.5,
    }


def test_a_record_that_nobody_writes_any_more_is_lost() -> None:
    body = {"state": "running", "updated_at": 100.0}

    assert as_read(body, now=100.0 + LOST_AFTER_SECONDS)["state"] == "running"
    assert as_read(body, now=101.0 + LOST_AFTER_SECONDS)["state"] == "lost"
    assert as_read({**body, "state": "ended"}, now=1e9)["state"] == "ended"
