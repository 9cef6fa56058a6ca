"""A dead member gets no launch, and some again when it is back."""

from tests.support.eventually import eventually
from tests.support.fake_member import Failure, FakeMember
from tests.support.federation_server import FederationServer, running_federation

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


async def test_a_dead_member_gets_no_launch_until_it_is_back(
    alpha: FakeMember, beta: FakeMember
) -> None:
    async with running_federation([alpha, beta], health=QUICK) as federation:

        async def is_down() -> bool:
            return await state_of(federation, "alpha") == "down"

        async def is_up() -> bool:
            return await state_of(federation, "alpha") == "up"

        await alpha.stop()
        await eventually(is_down, what="alpha to be down")
        alpha.paths.clear()
        seen = [await federation.launch(f"gh/o/a{number}/{'1' * 40}") for number in range(10)]
        assert {one.last.fields["member"] for one in seen} == {"beta"}
        assert {one.last.fields["attempt"] for one in seen} == {1}, "nobody even tries alpha"

        await alpha.start()
        await eventually(is_up, what="alpha to be up again")
        seen = [await federation.launch(f"gh/o/b{number}/{'1' * 40}") for number in range(20)]
        assert {one.last.fields["member"] for one in seen} == {"alpha", "beta"}


async def test_without_any_member_the_visitor_is_told_to_wait(alpha: FakeMember) -> None:
    health = {**QUICK, "panic_memory_seconds": 0.1}
    async with running_federation([alpha], health=health) as federation:

        async def is_refused() -> bool:
            last = (await federation.launch()).last
            return last.fields.get("code") == "no_eligible_member"

        await alpha.stop()
        await eventually(is_refused, what="the federation to say that nobody is there")
        last = (await federation.launch()).last
        assert last.fields["status_code"] == 503
        assert last.fields["retry_after_seconds"] > 0
        home = await federation.client.get("/")
        assert home.status_code == 200, "the pages do not need members"


async def test_a_launch_that_is_refused_asks_for_a_probe_at_once(
    alpha: FakeMember, beta: FakeMember
) -> None:
    rare = {"probe_every_seconds": 60.0}
    async with running_federation([alpha, beta], health=rare) as federation:
        of_alpha, of_beta = alpha.probes.total(), beta.probes.total()
        alpha.fail_next(*[Failure.STATUS_500] * 100)
        number = 0

        async def is_refused() -> bool:
            nonlocal number
            number += 1
            seen = await federation.launch(f"gh/o/r{number}/{'1' * 40}")
            return bool(seen.last.fields["attempt"] == 2)

        await eventually(is_refused, what="a launch that alpha refuses")

        async def is_probed() -> bool:
            return alpha.probes.total() > of_alpha

        await eventually(is_probed, what="alpha to be probed before its time")
        assert beta.probes.total() == of_beta, "beta is well: nobody asks it again"
