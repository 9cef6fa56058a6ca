"""Reports that were made to do harm: they are their member's failure, and nobody else's."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from binder_federation.binder.events import Phase
from binder_federation.binder.messages import MOST_IMAGES, MOST_REPORT_BYTES
from binder_federation.federation.report_rates import MOST_REPORTS_AT_ONCE
from tests.support.fake_member import CREDENTIAL, FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation
from tests.support.joining_member import JoiningMember

HUGE = "9" * 400
KEY = "0123456789abcdef" * 2
PAGES = ("/metrics", "/api/members", "/active_hosts", "/status", "/api/status", "/status.atom")
IMAGE = {"key": KEY, "repository": "gh/o/r"}


def report(**changes: Any) -> dict[str, Any]:
    return {
        "member": "alpha",
        "session": "s1",
        "sequence": 1,
        "load": {"capacity": 10},
        "inventory": "whole",
        **changes,
    }


def load(**numbers: Any) -> dict[str, Any]:
    return report(load={"capacity": 10, **numbers})


def raw(body: dict[str, Any]) -> bytes:
    """JSON in which the text HUGE or Infinity is a number."""
    text = json.dumps(body)
    for number in (HUGE, "Infinity", "-Infinity", "NaN", "1e999"):
        text = text.replace(f'"{number}"', number)
    return text.encode()


async def post(server: FederationServer, body: bytes) -> httpx.Response:
    return await server.client.post(
        "/api/members/alpha/report",
        content=body,
        headers={"Authorization": f"Bearer {CREDENTIAL}"},
    )


async def is_well(server: FederationServer) -> None:
    """Everybody else is served as before."""
    for page in PAGES:
        assert (await server.client.get(page)).status_code == 200, page
    seen = await server.launch(f"gh/owner/repository/{SHA}")
    assert seen.last.phase is Phase.READY, seen.last


NUMBERS = [
    *(load(**{name: HUGE}) for name in ("capacity", "running", "pending", "build_slots", "warm")),
    *(load(**{name: 10**9}) for name in ("running", "pending", "building")),
    load(running="Infinity"),
    load(running=-1),
    report(images=[{**IMAGE, "size_bytes": HUGE}]),
    report(images=[{**IMAGE, "last_used": "Infinity"}]),
    report(images=[{**IMAGE, "last_used": "1e999"}]),
    report(images=[{**IMAGE, "nodes": HUGE}]),
    report(warm=[{"key": KEY, "servers": HUGE}]),
    report(estimates={"spawn_seconds": "Infinity"}),
    report(estimates={"build_seconds": "NaN"}),
    report(repositories={"gh/o/r": HUGE}),
    report(sequence=HUGE),
    report(protocol=HUGE),
]
SHAPES = [
    report(images=[{**IMAGE, "repository": "gh/" + "x" * 3000}]),
    report(images=[{**IMAGE, "repository": "gh/o\u0000/r"}]),
    report(repositories={"gh/" + "x" * 3000: 1}),
    report(repositories={"gh/o/r\n": 1}),
    report(images=[IMAGE] * (MOST_IMAGES + 1)),
    report(inventory="changes", removed=["x" * 5000]),
    report(checks=[{"service": "x", "ok": True}] * 100),
    report(session="\u0007"),
    report(load=[]),
]
BYTES = [b"", b"null", b"[" * 200_000, b'{"a":' * 50_000, b"\xff\xfe", b'{"member":"\\ud800"}']


@pytest.mark.parametrize(
    "body", [*map(raw, NUMBERS), *map(raw, SHAPES), *BYTES], ids=lambda body: repr(body[:60])
)
async def test_what_does_not_fit_is_its_members_failure(
    federation: FederationServer, body: bytes
) -> None:
    answer = await post(federation, body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["message"].startswith("The report cannot be used: ")
    members = (await federation.client.get("/api/members")).json()["members"]
    [checks] = [member["checks"] for member in members if member["name"] == "alpha"]
    assert [each["service"] for each in checks if not each["ok"]] == ["Reports"]
    metrics = (await federation.client.get("/metrics")).text
    assert 'binderfed_reports_refused_total{code="invalid_report",member="alpha"} 1.0' in metrics
    await is_well(federation)
    assert (await post(federation, raw(report()))).status_code == 200, "a good one is taken again"


async def test_text_for_people_is_cleaned(federation: FederationServer) -> None:
    checks = [{"service": "Disk\u001b[2J\u202e", "ok": False, "message": "full\u0000\u0085"}]
    assert (await post(federation, raw(report(checks=checks)))).status_code == 200
    members = (await federation.client.get("/api/members")).json()["members"]
    [told] = [member["checks"][0] for member in members if member["name"] == "alpha"]
    assert (told["service"], told["message"]) == ("Disk\ufffd[2J\ufffd", "full\ufffd\ufffd")
    await is_well(federation)


async def test_a_report_that_is_too_large_is_refused(federation: FederationServer) -> None:
    for size in (MOST_REPORT_BYTES + 1, 15 << 20):
        answer = await post(federation, b"x" * size)
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    await is_well(federation)


async def test_a_stranger_is_refused_before_his_body_is_read(federation: FederationServer) -> None:
    answer = await federation.client.post(
        "/api/members/alpha/report",
        content=b"x" * (15 << 20),
        headers={"Authorization": "Bearer wrong"},
    )
    assert answer.status_code == 403
    answer = await federation.client.post("/api/join", content=b"x" * (15 << 20))
    assert answer.status_code == 413


async def test_a_flood_of_reports_is_slowed_and_holds_nobody_up(
    federation: FederationServer,
) -> None:
    images = [{"key": f"{number:032x}", "repository": "gh/o/r"} for number in range(MOST_IMAGES)]
    large = raw(report(images=images))
    answers = [await post(federation, large) for _ in range(40)]
    codes = [answer.status_code for answer in answers]
    assert codes[0] == 200
    assert set(codes) == {200, 429}, "some of them are told to wait"
    [refused] = [answer for answer in answers if answer.status_code == 429][:1]
    assert int(refused.headers["Retry-After"]) > 0
    await is_well(federation)


async def test_many_small_reports_are_too_many(federation: FederationServer) -> None:
    bodies = [raw(report(sequence=number)) for number in range(3 * int(MOST_REPORTS_AT_ONCE))]
    answers = await asyncio.gather(*(post(federation, body) for body in bodies))
    assert {answer.status_code for answer in answers} == {200, 429}
    await is_well(federation)


async def test_a_members_word_does_not_use_up_everybodys_quota(
    alpha: FakeMember, beta: FakeMember
) -> None:
    key = "gh/owner/repository"
    quotas = {"sessions": 150, "sessions_per_repository": 120}
    async with running_federation([alpha, beta], policy={"quotas": quotas}) as server:
        assert (await post(server, raw(report(load={"capacity": 100})))).status_code == 200
        lies = report(
            sequence=2,
            load={"capacity": 2000, "running": 2000},
            repositories={key: 2000},
            inventory="changes",
        )
        assert (await post(server, raw(lies))).status_code == 200
        seen = await server.launch(f"{key}/{SHA}")
        assert seen.last.phase is Phase.READY, seen.last


async def test_nothing_of_a_member_that_joins_is_in_the_fleet(alpha: FakeMember) -> None:
    newcomer = JoiningMember("uni-x")
    await newcomer.start()
    # It asks for its checks once, and they take longer than this test.
    joining = {"first_pause_seconds": 600, "most_pause_seconds": 600}
    async with running_federation(
        [alpha], policy={"quotas": {"sessions": 50}}, joining=joining
    ) as server:
        made = await server.client.post("/api/admin/invitations", json={"name": "uni-x"})
        await newcomer.join(server.client, made.json()["token"])
        newcomer.is_buffering = True  # so that it is not admitted
        for sequence in range(3):
            answer = await newcomer.report(
                server.client,
                load={"capacity": 1000, "running": 1000, "warm": 10},
                repositories={"gh/owner/repository": 1000},
                images=[{**IMAGE, "size_bytes": 10**12}],
                warm=[{"key": KEY, "servers": 10}],
                estimates={"spawn_seconds": 0.001},
                inventory="changes" if sequence else "whole",
            )
            assert answer.status_code == 200, answer.text
        context = server.context
        view = context.fleet.snapshot(now=context.clock()).by_name["uni-x"]
        assert view.is_joining
        assert view.load is None
        assert context.limits.sessions.total == 0
        assert await context.shared.store.image_count("uni-x") == 0
        await is_well(server)
    await newcomer.stop()
