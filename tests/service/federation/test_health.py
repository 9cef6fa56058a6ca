"""A dead member gets no launch, and some again when it is back. BinderHubs as well as agents."""

from tests.support.eventually import eventually
from tests.support.fake_member import Failure
from tests.support.federation_server import FederationServer, running_federation
from tests.support.fleets import Fleet

QUICK = {
    "probe_every_seconds": 0.1,
    "probe_timeout_seconds": 0.5,
    "down_probe_max_seconds": 0.2,
    "recover_after_seconds": 0.3,
    "slow_start_seconds": 0.5,
}


async def state_of(federation: FederationServer, name: str) -> str:
    members = (await federation.client.get("/api/members")).json()["members"]
    return str(next(member["state"] for member in members if member["name"] == name))


async def test_a_dead_member_gets_no_launch_until_it_is_back(fleet: Fleet) -> None:
    dead = fleet.usual
    async with running_federation(fleet.members, health=QUICK) as federation:

        async def is_down() -> bool:
            return await state_of(federation, dead.name) == "down"

        async def is_up() -> bool:
            return await state_of(federation, dead.name) == "up"

        await dead.stop()
        await eventually(is_down, what="the member to be down")
        dead.paths.clear()
        seen = [await federation.launch(fleet.launch_path(f"a{number}")) for number in range(10)]
        members = {one.last.fields["member"] for one in seen}
        assert members <= {member.name for member in fleet.others}
        assert {one.last.fields["attempt"] for one in seen} == {1}, "nobody even tries it"

        await dead.start()
        await eventually(is_up, what="the member to be up again")
        seen = [await federation.launch(f"gh/o/b{number}/{'1' * 40}") for number in range(20)]
        assert dead.name in {one.last.fields["member"] for one in seen}


async def test_without_any_member_the_visitor_is_told_to_wait(fleet: Fleet) -> None:
    alone = fleet.usual
    health = {**QUICK, "panic_memory_seconds": 0.1}
    async with running_federation([alone], health=health) as federation:

        async def is_refused() -> bool:
            last = (await federation.launch()).last
            return last.fields.get("code") == "no_eligible_member"

        await alone.stop()
        await eventually(is_refused, what="the federation to say that nobody is there")
        last = (await federation.launch()).last
        assert last.fields["status_code"] == 503
        assert last.fields["retry_after_seconds"] > 0
        home = await federation.client.get("/")
        assert home.status_code == 200, "the pages do not need members"


async def test_a_launch_that_is_refused_asks_for_a_probe_at_once(fleet: Fleet) -> None:
    rare = {"probe_every_seconds": 12.0}
    async with running_federation(fleet.members, health=rare) as federation:
        before = {member.name: member.probes.total() for member in fleet.members}
        fleet.usual.fail_next(Failure.STATUS_500)

        seen = await federation.launch(fleet.launch_path())
        assert seen.last.fields["attempt"] == 2

        async def is_probed() -> bool:
            return fleet.usual.probes.total() > before[fleet.usual.name]

        await eventually(is_probed, what="the member to be probed before its time")
        for member in fleet.others:
            asked_again = member.probes.total() - before[member.name]
            assert not asked_again, f"{member.name} is well: nobody asks it again"


async def test_the_reason_is_what_the_member_says(fleet: Fleet) -> None:
    """A 503 tells in JSON what is wrong; full is not wrong."""
    async with running_federation(fleet.members, health=QUICK) as federation:
        fleet.usual.is_well = False

        async def is_down() -> bool:
            return await state_of(federation, fleet.usual.name) == "down"

        await eventually(is_down, what="the member to be down")
        members = (await federation.client.get("/api/members")).json()["members"]
        told = next(member for member in members if member["name"] == fleet.usual.name)
        assert told["reason"] == "check:JupyterHub API"
