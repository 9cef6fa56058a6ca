"""`/api/members`, reports, and what the federation says about itself."""

from typing import Any

import httpx
import pytest

from binder_federation.binder.providers import BUILT_IN
from binder_federation.federation.handlers.service import load_openapi
from tests.support.fake_member import CREDENTIAL, FakeMember
from tests.support.federation_server import FederationServer
from tests.support.provider_displays import check_displays

KEY = "0123456789abcdef" * 2


def report(member: str = "alpha", **changes: Any) -> dict[str, Any]:
    return {
        "member": member,
        "session": "s1",
        "sequence": 0,
        "load": {"capacity": 10, "running": 2, "pending": 1, "build_slots": 2, "building": 0},
        "inventory": "whole",
        "images": [{"key": KEY, "repository": "gh/owner/repository", "size_bytes": 5}],
        **changes,
    }


async def post(
    federation: FederationServer, body: Any, *, to: str = "alpha", credential: str = CREDENTIAL
) -> httpx.Response:
    headers = {"Authorization": f"Bearer {credential}"} if credential else {}
    return await federation.client.post(f"/api/members/{to}/report", json=body, headers=headers)


async def member(federation: FederationServer, name: str) -> dict[str, Any]:
    members = (await federation.client.get("/api/members")).json()["members"]
    found: dict[str, Any] = next(m for m in members if m["name"] == name)
    return found


async def test_a_report_is_believed_and_shown(federation: FederationServer) -> None:
    answer = await post(federation, report())

    assert answer.status_code == 200
    assert answer.json() == {"send_whole_inventory": False}
    shown = await member(federation, "alpha")
    assert shown["load"]["running"] == 2
    assert shown["images"] == 1
    assert shown["state"] == "up"


@pytest.mark.parametrize(
    ("body", "to", "credential"),
    [
        (report(), "alpha", "wrong"),
        (report(), "alpha", ""),
        (report("nobody"), "nobody", CREDENTIAL),
        (report("beta"), "alpha", CREDENTIAL),
    ],
    ids=["wrong credential", "none", "no such member", "about another member"],
)
async def test_only_a_member_reports_about_itself(
    federation: FederationServer, body: Any, to: str, credential: str
) -> None:
    answer = await post(federation, body, to=to, credential=credential)

    assert answer.status_code == 403
    assert answer.json()["code"] == "not_authorized"
    assert (await member(federation, "beta"))["load"] is None


@pytest.mark.parametrize(
    "body",
    [[], {}, report(sequence=-1), report(images=[{"key": "../../etc", "repository": "x"}])],
)
async def test_a_report_that_is_none_is_refused(federation: FederationServer, body: Any) -> None:
    answer = await post(federation, body)

    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_report"


async def test_changes_that_do_not_follow_ask_for_the_whole(federation: FederationServer) -> None:
    unknown = await post(federation, report(inventory="changes", sequence=7))
    await post(federation, report(sequence=8))
    follows = await post(
        federation, report(inventory="changes", sequence=9, images=[], removed=[KEY])
    )
    gap = await post(federation, report(inventory="changes", sequence=11, images=[]))

    assert unknown.json() == {"send_whole_inventory": True}
    assert follows.json() == {"send_whole_inventory": False}
    assert gap.json() == {"send_whole_inventory": True}
    assert (await member(federation, "alpha"))["images"] == 0


async def test_a_member_with_another_protocol_gets_nothing(
    federation: FederationServer, alpha: FakeMember, beta: FakeMember
) -> None:
    await post(federation, report(protocol=99))

    seen = [await federation.launch(f"gh/o/r{number}/{'1' * 40}") for number in range(8)]

    assert {one.last.fields["member"] for one in seen} == {"beta"}
    assert "protocol 99" in (await member(federation, "alpha"))["incompatibility"]


async def test_a_member_that_drains_itself_gets_nothing_until_it_ends_that(
    federation: FederationServer,
) -> None:
    launches = [f"gh/o/r{number}/{'1' * 40}" for number in range(8)]
    await post(federation, report(draining=True))
    drained = [await federation.launch(path) for path in launches]
    state = (await member(federation, "alpha"))["state"]
    await post(federation, report(draining=False, sequence=1))
    after = [await federation.launch(path.replace("/r", "/s")) for path in launches]

    assert {one.last.fields["member"] for one in drained} == {"beta"}
    assert state == "draining"
    assert {one.last.fields["member"] for one in after} == {"alpha", "beta"}
    assert (await member(federation, "alpha"))["state"] == "up"


async def test_a_full_member_gets_nothing_and_is_not_unwell(
    federation: FederationServer,
) -> None:
    full = {"capacity": 3, "running": 3, "pending": 0, "build_slots": 1, "building": 0}
    await post(federation, report(load=full))

    seen = [await federation.launch(f"gh/o/r{number}/{'1' * 40}") for number in range(8)]

    assert {one.last.fields["member"] for one in seen} == {"beta"}
    assert (await member(federation, "alpha"))["state"] == "up"


async def test_health_versions_metrics_and_providers(federation: FederationServer) -> None:
    health = await federation.client.get("/health")
    head = await federation.client.head("/health")
    versions = (await federation.client.get("/versions")).json()
    providers = (await federation.client.get("/api/repoproviders")).json()
    await federation.launch()
    metrics = (await federation.client.get("/metrics")).text

    assert health.status_code == head.status_code == 200
    assert health.json()["ok"] is True
    assert {check["service"] for check in health.json()["checks"]} >= {"Members"}
    assert versions["protocol"] == 1
    check_displays(providers)
    assert [provider["id"] for provider in providers] == list(BUILT_IN)
    assert 'first_attempt="yes",member="beta",outcome="ready"} 1.0' in metrics
    assert 'state="up"' in metrics


async def test_the_openapi_description_names_every_address(
    federation: FederationServer,
) -> None:
    from openapi_spec_validator import validate

    described = (await federation.client.get("/api/openapi.json")).json()

    validate(described)
    assert described["paths"].keys() == load_openapi()["paths"].keys()  # type: ignore[attr-defined]
