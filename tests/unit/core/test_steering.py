"""What live orders mean together with the settings: expiry, Git's newer word, ramps, joining."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from binder_federation.federation.core.member import Member
from binder_federation.federation.core.steering import (
    changes_by_time,
    effective,
    revoked,
    without_expired,
    without_overtaken,
)
from binder_federation.federation.steering.document import (
    BanOrder,
    DrainOrder,
    Invitation,
    JoinedMember,
    QuotaOrder,
    SteeringDocument,
    WeightOrder,
    Word,
)

NOW = 1_700_000_000.0
ALPHA = Member("alpha", "http://alpha.test", 10.0, is_draining=False, credential="a" * 16)
BETA = Member("beta", "http://beta.test", 5.0, is_draining=True, credential="b" * 16)
NOTHING = SteeringDocument()


def word(*, until: float | None = None, reason: str = "") -> Word:
    return Word(by="ops", at=NOW, until=until, reason=reason)


def credential_of(name: str, generation: int) -> str:
    return f"derived-of-{name}-{generation}"


def in_force(
    document: SteeringDocument, *configured: Member, now: float = NOW
) -> dict[str, Member]:
    members = effective(configured or (ALPHA, BETA), document, now, credential_of=credential_of)
    return {member.name: member for member in members}


def weight(
    value: float, *, over: float | None = 10.0, until: float | None = None
) -> SteeringDocument:
    order = WeightOrder(word=word(until=until), weight=value, over=over)
    return NOTHING.with_orders("alpha", weight=order)


def drain(*, over: bool = False, until: float | None = None) -> SteeringDocument:
    order = DrainOrder(word=word(until=until, reason="new disks"), is_draining=True, over=over)
    return NOTHING.with_orders("alpha", drain=order)


def joined(**changes: object) -> SteeringDocument:
    fields = {"name": "uni-x", "url": "https://x.test", "joined_at": NOW, "weight": 3.0}
    return NOTHING.with_joined(JoinedMember.model_validate({**fields, **changes}))


def test_without_orders_the_settings_hold() -> None:
    assert in_force(NOTHING) == {"alpha": ALPHA, "beta": BETA}


def test_a_live_weight_holds_until_it_expires() -> None:
    document = weight(2.0, until=NOW + 60)
    assert in_force(document)["alpha"].weight == 2.0
    assert in_force(document, now=NOW + 59.9)["alpha"].weight == 2.0
    assert in_force(document, now=NOW + 60)["alpha"].weight == 10.0, "its time is over"


def test_a_weight_that_git_changed_since_is_gits() -> None:
    changed = replace(ALPHA, weight=20.0)
    assert in_force(weight(2.0), changed)["alpha"].weight == 20.0, "Git's word is the newer one"


def test_a_drain_tells_its_reason_and_ends() -> None:
    document = drain(until=NOW + 60)
    assert in_force(document)["alpha"].is_draining
    assert in_force(document)["alpha"].drain_reason == "new disks"
    assert not in_force(document, now=NOW + 60)["alpha"].is_draining


def test_a_drain_is_over_when_git_has_drained_in_between() -> None:
    drained = replace(ALPHA, is_draining=True)
    document, overtaken = without_overtaken(drain(over=False), [drained])
    assert overtaken == ("alpha",)
    assert not in_force(document, ALPHA)["alpha"].is_draining, "it came back with the setting"


def test_an_order_may_undrain_what_the_settings_drain() -> None:
    order = DrainOrder(word=word(), is_draining=False, over=True)
    assert not in_force(NOTHING.with_orders("beta", drain=order))["beta"].is_draining


def test_a_ramp_is_linear_and_ends_at_its_weight() -> None:
    order = WeightOrder(
        word=word(),
        weight=8.0,
        over=10.0,
        from_weight=0.0,
        begins_at=NOW,
        ends_at=NOW + 100,
    )
    document = NOTHING.with_orders("alpha", weight=order)
    seen = [in_force(document, now=NOW + at)["alpha"].weight for at in (-5, 0, 25, 50, 100, 500)]
    assert seen == [0.08, 0.08, 2.0, 4.0, 8.0, 8.0]
    assert changes_by_time(document, since=NOW + 1, now=NOW + 2)
    assert changes_by_time(document, since=NOW + 99.5, now=NOW + 100.5), "its end is missed"
    assert not changes_by_time(document, since=NOW + 101, now=NOW + 102)


def test_a_revoked_member_is_none_whoever_brought_it() -> None:
    document = joined().with_orders("uni-x", revoked=word()).with_orders("alpha", revoked=word())
    assert set(in_force(document)) == {"beta"}
    gone = revoked((ALPHA, BETA), document, NOW, credential_of=credential_of)
    assert [member.name for member in gone] == ["alpha", "uni-x"]


def test_who_joined_comes_after_the_settings_and_waits_for_its_checks() -> None:
    member = in_force(joined())["uni-x"]
    assert list(in_force(joined())) == ["alpha", "beta", "uni-x"]
    assert member.is_joining
    assert member.is_joined
    assert (member.weight, member.public_url) == (3.0, "https://x.test")
    admitted = in_force(joined(admitted_at=NOW))["uni-x"]
    assert not admitted.is_joining
    assert admitted.admitted_at == NOW


def test_a_rotated_credential_is_taken_for_a_while() -> None:
    document = joined(generation=2, old_generation_until=NOW + 60)
    member = in_force(document)["uni-x"]
    taken = {member.credential, *member.old_credentials}
    assert taken == {credential_of("uni-x", 1), credential_of("uni-x", 2)}
    later = in_force(document, now=NOW + 60)["uni-x"]
    assert (later.credential, later.old_credentials) == (credential_of("uni-x", 2), ())
    assert changes_by_time(document, since=NOW + 59, now=NOW + 60)


def test_a_member_of_the_settings_keeps_its_name() -> None:
    own = joined(name="alpha")
    assert in_force(own) == {"alpha": ALPHA, "beta": BETA}


def test_orders_hold_for_who_joined() -> None:
    order = WeightOrder(word=word(), weight=1.5)
    assert in_force(joined().with_orders("uni-x", weight=order))["uni-x"].weight == 1.5


def test_what_time_has_ended_is_dropped() -> None:
    document = (
        drain(until=NOW)
        .with_ban(BanOrder(id="1", word=word(until=NOW), pattern="gh/bad/.*"))
        .with_ban(BanOrder(id="2", word=word(), network="192.0.2.0/24"))
        .with_quota(QuotaOrder(id="3", word=word(until=NOW - 1), pattern=".*", sessions=3))
        .with_invitation(
            Invitation(
                id="4", name="x", token_sha256="0", created_at=0.0, expires_at=10.0, by="ops"
            )
        )
    )
    left = without_expired(document, NOW)
    assert (left.members, list(left.bans), left.quotas, left.invitations) == ({}, ["2"], {}, {})


def test_a_revision_is_read_as_it_was_written() -> None:
    document = joined().with_ban(BanOrder(id="1", word=word(), pattern="gh/bad/.*"))
    text = document.model_dump_json(exclude_defaults=True)
    assert SteeringDocument.model_validate_json(text) == document


def test_what_a_newer_version_wrote_is_kept() -> None:
    document = SteeringDocument.model_validate_json('{"revision": 3, "later": {"x": 1}}')
    again = document.with_orders("alpha", revoked=word()).model_dump_json(exclude_defaults=True)
    assert '"later":{"x":1}' in again, "an older replica would lose what a newer one said"


@st.composite
def documents(draw: st.DrawFn) -> SteeringDocument:
    document = NOTHING
    moments = st.none() | st.floats(NOW - 100, NOW + 100)
    for name in ("alpha", "beta", "uni-x"):
        if draw(st.booleans()):
            order = WeightOrder(
                word=word(until=draw(moments)),
                weight=draw(st.floats(0.1, 100)),
                over=draw(st.sampled_from([None, 5.0, 10.0, 20.0])),
                from_weight=draw(st.none() | st.floats(0, 100)),
                begins_at=draw(moments),
                ends_at=draw(moments),
            )
            document = document.with_orders(name, weight=order)
        if draw(st.booleans()):
            over = draw(st.booleans())
            drained = DrainOrder(
                word=word(until=draw(moments)), is_draining=draw(st.booleans()), over=over
            )
            document = document.with_orders(name, drain=drained)
        if draw(st.integers(0, 4)) == 0:
            document = document.with_orders(name, revoked=word(until=draw(moments)))
    if draw(st.booleans()):
        member = JoinedMember(name="uni-x", url="https://x.test", joined_at=NOW)
        document = document.with_joined(member)
    return document


moments = st.floats(NOW - 200, NOW + 200)


@given(documents(), moments)
def test_replicas_agree(document: SteeringDocument, now: float) -> None:
    """One got it by the bus, the other read it from Redis after it was tidied."""
    text = document.model_dump_json(exclude_defaults=True)
    read = without_expired(SteeringDocument.model_validate_json(text), now)
    assert in_force(read, now=now) == in_force(document, now=now)


@given(documents(), moments)
def test_overtaken_orders_may_be_dropped_at_any_time(
    document: SteeringDocument, now: float
) -> None:
    dropped, _ = without_overtaken(document, (ALPHA, BETA))
    assert in_force(dropped, now=now) == in_force(document, now=now)


@given(documents(), moments, st.floats(0.001, 100))
def test_time_changes_nothing_untold(
    document: SteeringDocument, since: float, seconds: float
) -> None:
    now = since + seconds
    if in_force(document, now=since) != in_force(document, now=now):
        assert changes_by_time(document, since=since, now=now), "nobody would be told of it"


@given(documents(), moments, st.floats(30, 40))
def test_gits_newer_value_holds(document: SteeringDocument, now: float, value: float) -> None:
    """No order was given over such a weight."""
    changed = replace(ALPHA, weight=value)
    orders = document.orders("alpha").weight
    member = in_force(document, changed, now=now).get("alpha")
    if member is not None and (orders is None or orders.over is not None):
        assert member.weight == value


@given(documents(), moments)
def test_weights_are_more_than_nothing(document: SteeringDocument, now: float) -> None:
    assert all(member.weight > 0 for member in in_force(document, now=now).values())
