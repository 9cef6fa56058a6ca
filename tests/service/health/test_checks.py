"""A service's own health: one run for all who ask, under a deadline, in BinderHub's shape."""

import asyncio
import json

from binder_federation.health.checks import Check, HealthChecks, Outcome
from binder_federation.health.probes import judge_health


def counting(outcome: Outcome) -> tuple[Check, list[int]]:
    runs: list[int] = []

    async def check() -> Outcome:
        runs.append(1)
        await asyncio.sleep(0)
        return outcome

    return check, runs


async def good() -> Outcome:
    return {"ok": True}


async def bad() -> Outcome:
    return {"ok": False, "message": "The hub does not answer."}


async def test_all_is_well() -> None:
    answer = await HealthChecks({"JupyterHub API": good}).run()
    assert (answer.ok, answer.status) == (True, 200)
    assert answer.to_json() == {"ok": True, "checks": [{"service": "JupyterHub API", "ok": True}]}


async def test_one_failure_is_enough() -> None:
    answer = await HealthChecks({"JupyterHub API": bad, "Registry": good}).run()
    assert (answer.ok, answer.status) == (False, 503)
    assert answer.to_json()["checks"] == [
        {"service": "JupyterHub API", "ok": False, "message": "The hub does not answer."},
        {"service": "Registry", "ok": True},
    ]


async def test_a_failure_that_does_not_count_is_shown() -> None:
    async def quota() -> Outcome:
        return {"ok": False, "quota": 5, "total_pods": 5, "_ignore_failure": True}

    answer = await HealthChecks({"Pod quota": quota}).run()
    assert answer.status == 200
    assert answer.checks[0]["quota"] == 5
    assert answer.checks[0]["ok"] is False


async def test_one_check_may_bring_several_outcomes() -> None:
    async def stack() -> list[Outcome]:
        return [{"service": "Disk", "ok": True}, {"service": "Proxy", "ok": False}, {"ok": True}]

    answer = await HealthChecks({"Stack": stack}).run()
    assert [check["service"] for check in answer.checks] == ["Disk", "Proxy", "Stack"]
    assert not answer.ok


async def test_a_check_that_crashes_or_hangs_has_failed() -> None:
    async def crash() -> Outcome:
        raise RuntimeError("secret words")

    async def hang() -> Outcome:
        await asyncio.Event().wait()
        return {"ok": True}

    async def forget() -> Outcome:
        return {}

    checks = HealthChecks(
        {"Crashes": crash, "Hangs": hang, "Forgets": forget, "Well": good}, timeout_seconds=0.05
    )
    answer = await checks.run()
    assert [check["ok"] for check in answer.checks] == [False, False, False, True]
    assert "secret words" not in json.dumps(answer.to_json())


async def test_many_who_ask_make_one_run() -> None:
    check, runs = counting({"ok": True})
    checks = HealthChecks({"Counted": check})
    answers = await asyncio.gather(*(checks.run() for _ in range(100)))
    assert len(runs) == 1
    assert all(answer is answers[0] for answer in answers)


async def test_an_answer_is_kept_for_a_while() -> None:
    check, runs = counting({"ok": True})
    now = 1000.0
    checks = HealthChecks({"Counted": check}, cache_seconds=15, clock=lambda: now)
    await checks.run()
    now += 14.9
    await checks.run()
    assert len(runs) == 1
    now += 0.2
    await checks.run()
    assert len(runs) == 2


async def test_one_who_goes_away_does_not_spoil_it_for_the_others() -> None:
    may_end = asyncio.Event()

    async def slow() -> Outcome:
        await may_end.wait()
        return {"ok": True}

    checks = HealthChecks({"Slow": slow})
    async with asyncio.TaskGroup() as group:
        first = group.create_task(checks.run())
        second = group.create_task(checks.run())
        await asyncio.sleep(0)
        first.cancel()
        may_end.set()
    assert second.result().ok


async def test_a_probe_understands_our_own_answer() -> None:
    answer = await HealthChecks({"Well": good, "JupyterHub API": bad}).run()
    body = json.dumps(answer.to_json()).encode()
    reason, checks = judge_health(answer.status, body)
    assert reason == "check:JupyterHub API"
    assert [check.service for check in checks] == ["Well", "JupyterHub API"]
