"""Joining's pure parts: keys, invitations, generations, and what was taken already."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.joining import InvitationNotValid, JoinRequest
from binder_federation.binder.messages import Report
from binder_federation.config.federation import FederationSettings
from binder_federation.federation.joining.errors import (
    MemberExists,
    NotJoined,
    ReportReplayed,
    RotationPending,
)
from binder_federation.federation.joining.exchange import exchange
from binder_federation.federation.joining.invitations import is_open, make_invitation
from binder_federation.federation.joining.keys import JoiningIsOff, find_key, member_credential
from binder_federation.federation.joining.replays import FORGET_SECONDS, ReplayGuard
from binder_federation.federation.joining.rotation import confirm, rotate
from binder_federation.federation.steering.audit import Actor
from binder_federation.federation.steering.document import SteeringDocument

NOW = 1_800_000_000.0
KEY = "a key of a federation, which is random"
ADA = Actor("ada")
names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


def request(token: str, agent_id: str = "an-agents-id-0123456789") -> JoinRequest:
    return JoinRequest.model_validate(
        {"token": token, "agent_id": agent_id, "url": "https://x.example"}
    )


def joined(name: str = "uni-x") -> SteeringDocument:
    document, token = make_invitation(SteeringDocument(), name, 10, 60, ADA, NOW)
    return exchange(document, request(token), configured={}, now=NOW).document


@given(name=names, other=names, generation=st.integers(1, 1000))
def test_no_two_members_have_one_credential(name: str, other: str, generation: int) -> None:
    mine = member_credential(KEY, name, generation)
    assert len(mine) == 43
    assert mine != member_credential(KEY, name, generation + 1)
    assert mine != member_credential(KEY + "x", name, generation)
    assert (mine == member_credential(KEY, other, generation)) == (name == other)


def test_a_key_is_made_once_beside_the_file(tmp_path: Path) -> None:
    settings = FederationSettings.model_validate(
        {"steering": {"file": tmp_path / "state" / "steering.json"}}
    )
    first, second = find_key(settings), find_key(settings)
    assert first.credential("uni-x", 1) == second.credential("uni-x", 1)
    mode = (tmp_path / "state" / "steering.json.key").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_replicas_need_a_key_of_the_settings() -> None:
    redis = {"redis": {"url": "redis://localhost"}}
    off = find_key(FederationSettings.model_validate(redis))
    with pytest.raises(JoiningIsOff, match="no key"):
        off.check()
    assert off.credential("uni-x", 1) == "", "nobody has the empty credential"
    on = find_key(FederationSettings.model_validate({**redis, "joining": {"key": KEY}}))
    assert on.credential("uni-x", 1) == member_credential(KEY, "uni-x", 1)


def test_a_new_invitation_takes_the_one_of_before_back() -> None:
    document, first = make_invitation(SteeringDocument(), "uni-x", 10, 60, ADA, NOW)
    document, second = make_invitation(document, "uni-x", 5, 60, ADA, NOW)
    assert [is_open(each, NOW) for each in document.invitations.values()] == [False, True]
    with pytest.raises(InvitationNotValid, match="taken back"):
        exchange(document, request(first), configured={}, now=NOW)
    made = exchange(document, request(second), configured={}, now=NOW)
    assert made.member.weight == 5
    with pytest.raises(MemberExists):
        make_invitation(made.document, "uni-x", 5, 60, ADA, NOW)


@pytest.mark.parametrize(("after", "is_answered"), [(599, True), (601, False)])
def test_an_answer_is_repeated_for_ten_minutes(after: float, is_answered: bool) -> None:
    document, token = make_invitation(SteeringDocument(), "uni-x", 10, 60, ADA, NOW)
    first = exchange(document, request(token), configured={}, now=NOW)
    if is_answered:
        again = exchange(first.document, request(token), configured={}, now=NOW + after)
        assert (again.member, again.is_repeated) == (first.member, True)
    else:
        with pytest.raises(InvitationNotValid, match="used already"):
            exchange(first.document, request(token), configured={}, now=NOW + after)


def test_a_rotation_ends_before_the_next_begins() -> None:
    rotated = rotate(joined(), "uni-x", now=NOW, grace_seconds=60)
    assert rotated.joined["uni-x"].generation == 2
    with pytest.raises(RotationPending):
        rotate(rotated, "uni-x", now=NOW + 59, grace_seconds=60)
    assert confirm(rotated, "uni-x", 1) == rotated, "the old one confirms nothing"
    done = confirm(rotated, "uni-x", 2)
    assert rotate(done, "uni-x", now=NOW, grace_seconds=60).joined["uni-x"].generation == 3
    with pytest.raises(NotJoined):
        rotate(done, "alpha", now=NOW, grace_seconds=60)


def report(session: str, sequence: int) -> Report:
    return Report.model_validate(
        {
            "member": "uni-x",
            "session": session,
            "sequence": sequence,
            "load": {"capacity": 1},
            "inventory": "whole",
        }
    )


def is_taken(guard: ReplayGuard, session: str, sequence: int, at: float = 0.0) -> bool:
    each = report(session, sequence)
    try:
        guard.check(each, now=NOW + at)
    except ReportReplayed:
        return False
    guard.note(each, now=NOW + at)
    return True


def test_late_news_of_another_replica_takes_nothing_back() -> None:
    guard = ReplayGuard()
    assert is_taken(guard, "a", 5)
    guard.note(report("a", 3), now=NOW)
    assert not is_taken(guard, "a", 4)
    assert is_taken(guard, "a", 6)


def test_two_agents_of_one_member_are_both_heard() -> None:
    """With a hub of its own a member may have several; none is a replay of the other."""
    guard = ReplayGuard()
    assert is_taken(guard, "a", 1)
    assert is_taken(guard, "b", 1)
    assert is_taken(guard, "a", 2)
    assert not is_taken(guard, "b", 1)
    assert is_taken(guard, "b", 2)


def test_an_agent_that_was_replaced_is_not_played_again() -> None:
    guard = ReplayGuard()
    assert is_taken(guard, "before", 7)
    assert is_taken(guard, "now", 1, at=60)
    assert not is_taken(guard, "before", 7, at=120)
    assert is_taken(guard, "before", 7, at=FORGET_SECONDS + 1), "its signature is too old by then"
