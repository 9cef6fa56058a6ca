"""Probes of a real server: what passes, what does not, and what it is called."""

import asyncio
from typing import Any

import httpx
import pytest

from binder_federation.health.probes import ProbeResult, probe
from tests.service.health.scripted_member import (
    GOOD_VERSIONS,
    Answer,
    ScriptedMember,
    answer_json,
    answer_text,
    cut_connection,
    drip,
    flood,
    never_answer,
)

HUB = {"service": "JupyterHub API", "ok": True}
HUB_FAILS = {"service": "JupyterHub API", "ok": False}
REGISTRY_FAILS = {"service": "Docker registry", "ok": False}
FULL = {"service": "Pod quota", "ok": False, "total_pods": 90, "quota": 90, "_ignore_failure": True}
FULL_AND_DECISIVE = {"service": "Pod quota", "ok": False, "total_pods": 90, "quota": 90}
DISK_IGNORED = {"service": "Disk", "ok": False, "_ignore_failure": True}


def answer_checks(*checks: dict[str, Any], status: int = 200) -> Answer:
    is_ok = all(check["ok"] for check in checks)
    return answer_json({"ok": is_ok, "checks": list(checks)}, status)


async def ask(client: httpx.AsyncClient, url: str, timeout_seconds: float = 2.0) -> ProbeResult:
    async with asyncio.timeout(20):
        return await probe(client, url, timeout_seconds=timeout_seconds)


@pytest.mark.parametrize(
    ("health", "reason"),
    [
        (answer_checks(HUB), "ok"),
        (answer_json({"ok": True}), "ok"),
        (answer_json({"ok": True, "checks": []}), "ok"),
        (answer_checks(HUB_FAILS, status=503), "check:JupyterHub API"),
        (answer_checks(HUB_FAILS, status=200), "check:JupyterHub API"),
        (answer_checks(HUB, REGISTRY_FAILS, HUB_FAILS, status=503), "check:Docker registry"),
        # Full is not unhealthy, however it is marked; what comes after it counts.
        (answer_checks(HUB, FULL, status=200), "ok"),
        (answer_checks(HUB, FULL, status=503), "ok"),
        (answer_checks(HUB, FULL_AND_DECISIVE, status=503), "ok"),
        (answer_checks(FULL, HUB_FAILS, status=503), "check:JupyterHub API"),
        (answer_checks(DISK_IGNORED, HUB, status=503), "ok"),
        # Not well, and it does not say why.
        (answer_json({"ok": False, "checks": [HUB]}, 200), "not_ok"),
        (answer_json({"ok": False, "checks": [HUB]}, 503), "status_503"),
        (answer_json({"checks": [HUB]}, 503), "status_503"),
        (answer_text("<h1>Service unavailable</h1>", 503), "status_503"),
        (answer_text("<h1>Bad gateway</h1>", 502), "status_502"),
        (answer_json({"ok": True}, 500), "status_500"),
        (answer_json({"ok": True}, 404), "status_404"),
        (answer_text("", 302), "status_302"),
        # No health at all.
        (answer_text("it works!"), "malformed"),
        (answer_text(""), "malformed"),
        (answer_json(["ok"]), "malformed"),
        (answer_json({"ok": True, "checks": "all"}), "malformed"),
        (answer_json({"ok": True, "checks": [1]}), "malformed"),
        (answer_text("[" * 50_000), "malformed"),
        (flood, "malformed"),
        (cut_connection, "reset"),
    ],
)
async def test_reason(
    member: ScriptedMember, client: httpx.AsyncClient, health: Answer, reason: str
) -> None:
    member.health = health
    result = await ask(client, member.url)
    assert (result.reason, result.passed) == (reason, reason == "ok")


@pytest.mark.parametrize("health", [never_answer, drip])
async def test_a_member_that_takes_too_long_has_not_passed(
    member: ScriptedMember, client: httpx.AsyncClient, health: Answer
) -> None:
    member.health = health
    result = await ask(client, member.url, timeout_seconds=0.2)
    assert (result.passed, result.reason) == (False, "timeout")


async def test_a_member_that_is_gone_is_refused(
    member: ScriptedMember, client: httpx.AsyncClient
) -> None:
    await member.stop()
    assert (await ask(client, member.url)).reason == "refused"


async def test_a_broken_handshake_is_tls(member: ScriptedMember, client: httpx.AsyncClient) -> None:
    url = member.url.replace("http://", "https://")
    assert (await ask(client, url)).reason == "tls"


@pytest.mark.parametrize(
    ("url", "reason"),
    [("http://member.invalid", "unresolved"), ("gopher://127.0.0.1", "unreachable")],
)
async def test_an_address_that_cannot_be(client: httpx.AsyncClient, url: str, reason: str) -> None:
    assert (await ask(client, url)).reason == reason


async def test_each_is_asked_once(member: ScriptedMember, client: httpx.AsyncClient) -> None:
    for status in (200, 503, 500):
        member.requests.clear()
        member.health = answer_json({"ok": status == 200}, status)
        await ask(client, member.url)
        assert member.requests == {"/health": 1, "/versions": 1}


async def test_checks_come_with_their_figures(
    member: ScriptedMember, client: httpx.AsyncClient
) -> None:
    member.health = answer_checks(HUB, FULL, status=503)
    result = await ask(client, member.url)
    hub, quota = result.checks
    assert (hub.service, hub.ok, hub.is_decisive) == ("JupyterHub API", True, True)
    assert (quota.ok, quota.is_decisive) == (False, False)
    assert quota.numbers == {"total_pods": 90, "quota": 90}


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        (answer_json(GOOD_VERSIONS), GOOD_VERSIONS),
        (answer_json({"protocol": 1, "odd": ["a"]}), {"protocol": 1}),
        (answer_json({}, 404), None),
        (answer_text("1.0"), None),
        (flood, None),
        (never_answer, None),
    ],
)
async def test_versions_are_information_only(
    member: ScriptedMember,
    client: httpx.AsyncClient,
    versions: Answer,
    expected: dict[str, Any] | None,
) -> None:
    member.versions = versions
    result = await ask(client, member.url, timeout_seconds=0.3)
    assert (result.passed, result.versions) == (True, expected)


async def test_what_a_member_sends_is_bounded(
    member: ScriptedMember, client: httpx.AsyncClient
) -> None:
    many = [{"service": "s" * 500 + str(number), "ok": True} for number in range(60)]
    member.health = answer_json({"ok": True, "checks": many})
    result = await ask(client, member.url)
    assert len(result.checks) == 50
    assert max(len(check.service) for check in result.checks) == 100
