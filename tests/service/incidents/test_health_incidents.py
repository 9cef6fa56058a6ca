"""Incidents of public Binders that outlier detection makes non-events.

Each test is named by its incident's date, or number, and title. All members answer
their probes throughout: what is known of them, launches have told.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from binder_federation.binder.events import Phase
from binder_federation.binder.messages import ImageRecord, Tier
from binder_federation.health.state import Health
from tests.support.eventually import eventually
from tests.support.fake_member import Failure, FakeMember
from tests.support.federation_server import SHA, FederationServer, Seen, running_federation

HEALTH = {"probe_every_seconds": 60.0, "review_seconds": 0.05}
LAUNCH = {"silence_seconds": 1.5, "hold_seconds": 0.01}


@asynccontextmanager
async def federation_of(*members: FakeMember, **health: float) -> AsyncIterator[FederationServer]:
    for member in members:
        await member.start()
    try:
        async with running_federation(
            members, health={**HEALTH, **health}, launch=LAUNCH
        ) as federation:
            yield federation
    finally:
        for member in members:
            await member.stop()


async def put_image(federation: FederationServer, member: FakeMember, repository: str) -> str:
    """Let the member have the image of a repository, and the federation know; the launch's path."""
    spec, context = f"gh/o/{repository}/{SHA}", federation.context
    parsed = context.repositories.parse(spec)
    record = ImageRecord(key=parsed.image_key(SHA), repository=parsed.affinity_key, tier=Tier.NODE)
    await context.shared.store.note_image(member.name, record, now=context.clock())
    member.images.add(spec)
    return spec


async def launch_all(
    federation: FederationServer, member: FakeMember, names: Sequence[str]
) -> list[Seen]:
    """Launch repositories that the member has, one after the other."""
    paths = [await put_image(federation, member, name) for name in names]
    return [await federation.launch(path) for path in paths]


def health_of(federation: FederationServer, member: FakeMember) -> Health:
    return federation.context.monitor.health(member.name)


def served_by(seen: Seen) -> tuple[str, object, object]:
    return seen.last.phase.value, seen.last.fields.get("member"), seen.last.fields.get("attempt")


async def test_2017_09_29_progress_never_ends() -> None:
    """Three launches hang at a member that has their images; the fourth does not try it."""
    alpha, beta = FakeMember("alpha"), FakeMember("beta")
    async with federation_of(alpha, beta) as federation:
        alpha.hold(Phase.LAUNCHING)
        seen = await launch_all(federation, alpha, ["r1", "r2", "r3", "r4"])
        assert len(alpha.paths) == 3
        assert health_of(federation, alpha).is_ejected
        page = (await federation.client.get("/api/members")).json()["members"]

    assert [served_by(one) for one in seen] == [
        ("ready", "beta", 2),
        ("ready", "beta", 2),
        ("ready", "beta", 2),
        ("ready", "beta", 1),
    ]
    assert {member["name"]: member["state"] for member in page} == {
        "alpha": "ejected",
        "beta": "up",
    }


async def test_2018_02_12_launch_fail() -> None:
    """/health says 200, launches hang: they go on at another member, in the same stream."""
    alpha, beta = FakeMember("alpha"), FakeMember("beta")
    async with federation_of(alpha, beta) as federation:
        # It did well before, so that it takes five in a row.
        await launch_all(federation, alpha, [f"good{n}" for n in range(6)])
        alpha.hold(Phase.LAUNCHING)
        seen = await launch_all(federation, alpha, [f"r{n}" for n in range(6)])
        metrics = (await federation.client.get("/metrics")).text
        probed = (await federation.client.get("/health")).status_code

    assert [served_by(one) for one in seen] == [("ready", "beta", 2)] * 5 + [("ready", "beta", 1)]
    assert 'ejections_total{member="alpha",reason="failures_in_a_row"} 1.0' in metrics
    assert 'binderfed_member_ejected{member="alpha"} 1.0' in metrics
    assert 'binderfed_member_ejected{member="beta"} 0.0' in metrics
    assert probed == 200, "one member that fails is not the federation's fault"


async def test_2018_01_17_ubuntu_eol() -> None:
    """Builds fail on all members: nobody is ejected, and cached launches work."""
    members = [FakeMember(name) for name in ("alpha", "beta", "gamma")]
    async with federation_of(*members) as federation:
        for member in members:
            member.fail_next(*[Failure.BUILD_FAILS] * 20)
        failed = [await federation.launch(f"gh/o/new{n}/{SHA}") for n in range(20)]
        states = {member.name: health_of(federation, member) for member in members}
        for member in members:
            member._failures.clear()
        cached = await launch_all(federation, members[0], ["cached"])
        metrics = (await federation.client.get("/metrics")).text

    assert {one.last.fields["code"] for one in failed} == {"build_failed"}
    assert {one.last.fields["attempt"] for one in failed} == {1}, "no member could do better"
    assert {health.state.value for health in states.values()} == {"up"}
    assert not any(health.is_ejected for health in states.values())
    assert served_by(cached[0]) == ("ready", "alpha", 1)
    assert "binderfed_member_ejections_total{" not in metrics


async def test_2018_01_17_hubs_that_fail_everywhere() -> None:
    """The same, where every launch fails and each looks like its member's fault."""
    members = [FakeMember(name) for name in ("alpha", "beta", "gamma")]
    async with federation_of(*members) as federation:
        for member in members:
            member.fail_next(*[Failure.LAUNCH_FAILS] * 10)
        failed = [await federation.launch(f"gh/o/new{n}/{SHA}") for n in range(10)]
        assert {one.last.phase for one in failed} == {Phase.FAILED}
        assert not any(health_of(federation, member).is_ejected for member in members)

        async def is_said() -> bool:
            answer = await federation.client.get("/health")
            assert answer.status_code == 200, "alone it stays ok: nobody could do better"
            checks = {check["service"]: check["ok"] for check in answer.json()["checks"]}
            return checks["Own network"] is False

        await eventually(is_said, what="the federation to suspect its own network")
        served = await federation.launch(f"gh/o/again/{SHA}")
    assert served.last.phase is Phase.READY, "as soon as the members are well, launches are"


async def test_deploy_3251_flapping_member() -> None:
    """A member that fails again after its ejection is out again at once, for longer."""
    alpha, beta = FakeMember("alpha"), FakeMember("beta")
    async with federation_of(alpha, beta, eject_seconds=0.5) as federation:

        async def is_back() -> bool:
            return not health_of(federation, alpha).is_ejected

        alpha.hold(Phase.LAUNCHING)
        await launch_all(federation, alpha, ["r1", "r2", "r3"])
        assert health_of(federation, alpha).ejected_until is not None, "it was ejected"
        await eventually(is_back, what="the first ejection to end")
        began_at = federation.context.clock()
        await launch_all(federation, alpha, ["r4"])
        until = health_of(federation, alpha).ejected_until
        assert until is not None
        assert until > began_at + 1.0, "one failure is enough this time, for twice as long"
        await eventually(is_back, what="the second ejection to end")
        alpha.go_on()
        seen = await launch_all(federation, alpha, ["r5"])
        metrics = (await federation.client.get("/metrics")).text
    assert served_by(seen[0]) == ("ready", "alpha", 1), "well again, it gets what it has"
    assert 'ejections_total{member="alpha",reason="failed_again"} 1.0' in metrics
