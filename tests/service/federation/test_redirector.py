"""What mybinder.org's redirector tells of its members, told by the federation as well."""

import re

from tests.support.eventually import eventually
from tests.support.fake_binderhub import FakeBinderHub
from tests.support.federation_server import FederationServer, running_federation
from tests.support.fleets import Fleet

Series = dict[tuple[str, str], float]
QUICK = {"probe_every_seconds": 0.1, "misses_to_suspect": 1, "misses_to_down": 1}


async def read_series(federation: FederationServer, name: str) -> Series:
    """The samples of one metric by member and by its other label."""
    text = (await federation.client.get("/metrics")).text
    pattern = re.compile(rf"^{name}\{{(.*)\}} (.+)$", re.MULTILINE)
    series: Series = {}
    for labels, value in pattern.findall(text):
        by_name = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        member = by_name.pop("member")
        series[member, *by_name.values()] = float(value)
    return series


async def active(federation: FederationServer) -> dict[str, dict[str, object]]:
    answer = await federation.client.get("/active_hosts")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    hosts: dict[str, dict[str, object]] = answer.json()["active_hosts"]
    return hosts


async def test_active_hosts_have_the_redirectors_shape(
    fleet: Fleet, federated: FederationServer
) -> None:
    answer = await federated.client.get("/active_hosts")

    assert answer.json() == {
        "active_hosts": {
            member.name: {
                "url": member.url,
                "weight": 1,
                "health": f"{member.url}/health",
                "versions": f"{member.url}/versions",
            }
            for member in fleet.members
        }
    }


async def test_active_hosts_are_those_that_get_launches(fleet: Fleet) -> None:
    dead, *others = fleet.members
    async with running_federation(fleet.members, health=QUICK) as federation:
        await dead.stop()

        async def is_out() -> bool:
            return set(await active(federation)) == {member.name for member in others}

        await eventually(is_out, what="a dead member to be left out")


async def test_a_full_binderhub_is_well_and_gets_no_launches() -> None:
    hub = FakeBinderHub("hub", quota=5, pods_cache_seconds=0.0)
    await hub.start()
    try:
        async with running_federation([hub], health=QUICK) as federation:
            assert set(await active(federation)) == {"hub"}
            hub.sessions = 6

            async def is_out() -> bool:
                return not await active(federation)

            await eventually(is_out, what="a full member to be left out")
            health = await read_series(federation, "federation_health")
            checks = await read_series(federation, "federation_health_check")
    finally:
        await hub.stop()
    assert health == {("hub", ""): 1.0}
    assert checks["hub", "Pod quota"] == 0.0
    assert checks["hub", "JupyterHub API"] == 1.0


async def test_the_redirectors_metrics_tell_reason_and_checks(fleet: Fleet) -> None:
    sick = fleet.usual
    async with running_federation(fleet.members, health=QUICK) as federation:
        well = await read_series(federation, "federation_health")
        assert well == {(member.name, ""): 1.0 for member in fleet.members}
        sick.is_well = False

        async def is_told() -> bool:
            series = await read_series(federation, "federation_health")
            return series.get((sick.name, "JupyterHub API")) == 0.0

        await eventually(is_told, what="the check to be named as the reason")
        series = await read_series(federation, "federation_health")
        checks = await read_series(federation, "federation_health_check")

    assert series[sick.name, ""] == 0.0, "no panel stays green"
    assert checks[sick.name, "JupyterHub API"] == 0.0
    assert checks[sick.name, "versions"] == 1.0


async def test_redirects_are_counted_by_member_and_only_grow(
    fleet: Fleet, federated: FederationServer
) -> None:
    path = fleet.launch_path()
    for _ in range(3):
        await federated.launch(path)

    counts = await read_series(federated, "federation_redirect_count")
    by_member: dict[str, float] = {}
    for (member, _reason), count in counts.items():
        by_member[member] = by_member.get(member, 0.0) + count
    assert by_member == {fleet.usual.name: 3.0}
    text = (await federated.client.get("/metrics")).text
    assert "# TYPE federation_redirect_count gauge" not in text, "its rate can be taken"
