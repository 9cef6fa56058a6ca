"""A stream that is cut goes on where it was, as the same launch, whatever member it is at."""

import asyncio

from binder_federation.binder.events import Phase
from tests.support.eventually import eventually
from tests.support.federation_server import FederationServer, running_federation
from tests.support.fleets import Fleet


async def test_a_cut_stream_goes_on_after_the_last_event_seen(
    fleet: Fleet, federated: FederationServer
) -> None:
    path = fleet.launch_path()
    fleet.hold(Phase.LAUNCHING)
    first = await federated.launch(path, most_events=3)
    fleet.go_on()

    rest = await federated.launch(path, headers={"Last-Event-ID": first.ids[-1]})

    assert rest.last.phase is Phase.READY
    launches = {event_id.partition(":")[0] for event_id in first.ids + rest.ids}
    assert len(launches) == 1, "a client that reconnects gets its own launch back"
    numbers = [int(event_id.rpartition(":")[2]) for event_id in first.ids + rest.ids]
    assert numbers == list(range(1, len(numbers) + 1)), "nothing twice, nothing lost"
    assert fleet.asked() == 1, "the member's stream was never cut"


async def test_a_client_that_has_seen_the_end_is_told_to_stop(
    fleet: Fleet, federated: FederationServer
) -> None:
    path = fleet.launch_path()
    seen = await federated.launch(path)

    again = await federated.launch(path, headers={"Last-Event-ID": seen.ids[-1]})

    assert again.status == 204
    assert not again.events


async def test_the_id_of_another_repositorys_launch_begins_anew(
    fleet: Fleet, federated: FederationServer
) -> None:
    other = await federated.launch(fleet.launch_path())
    path = fleet.launch_path("another")

    seen = await federated.launch(path, headers={"Last-Event-ID": other.ids[-1]})

    assert seen.last.phase is Phase.READY
    assert "another" in seen.last.fields["image"]


async def test_an_unknown_launch_begins_anew(fleet: Fleet, federated: FederationServer) -> None:
    for nonsense in ("gone:3", ":", "x:y", "x:-1", "x:" + "9" * 40):
        seen = await federated.launch(fleet.launch_path(), headers={"Last-Event-ID": nonsense})
        assert seen.last.phase is Phase.READY
        assert seen.ids[0].endswith(":1")


async def test_a_launch_that_was_given_up_begins_again_for_who_comes_back(fleet: Fleet) -> None:
    path = fleet.launch_path()
    launch = {"resume_seconds": 0.001, "hold_seconds": 0.2}
    async with running_federation(fleet.members, launch=launch) as federation:
        fleet.hold(Phase.LAUNCHING)
        first = await federation.launch(path, most_events=3)

        async def is_given_up() -> bool:
            await federation.context.launches.tidy()
            return federation.context.launches.under_way == 0

        await eventually(is_given_up, what="the launch to be given up")
        fleet.go_on()

        rest = await federation.launch(path, headers={"Last-Event-ID": first.ids[-1]})

        assert rest.last.phase is Phase.READY
        assert rest.ids[-1].partition(":")[0] == first.ids[0].partition(":")[0]


async def test_many_clients_of_one_repository_cause_one_build(
    fleet: Fleet, federated: FederationServer
) -> None:
    path = fleet.launch_path()

    seen = await asyncio.gather(*(federated.launch(path) for _ in range(50)))

    assert all(one.last.phase is Phase.READY for one in seen)
    members = {one.last.fields["member"] for one in seen}
    assert len(members) == 1, f"the first decision holds the lease for all: {members}"
    assert fleet.built(path) == 1
