"""The monitor against real servers: states, loops of their own, probes on demand, metrics."""

import random
import time
from collections.abc import AsyncIterator
from typing import Protocol

import httpx
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from binder_federation.config.federation import HealthSettings
from binder_federation.health.monitor import HealthMonitor
from binder_federation.health.state import Health, MemberState
from binder_federation.runtime.tasks import BackgroundTasks
from tests.service.health.scripted_member import (
    GOOD_HEALTH,
    ScriptedMember,
    answer_json,
    answer_text,
    never_answer,
)
from tests.support.eventually import eventually

QUICK = HealthSettings(
    probe_every_seconds=0.05,
    probe_timeout_seconds=0.5,
    down_probe_max_seconds=0.1,
    recover_after_seconds=0.15,
    slow_start_seconds=0.2,
)
RARE = HealthSettings(probe_every_seconds=1000, probe_timeout_seconds=0.5)
HUB_FAILS = {"ok": False, "checks": [{"service": "JupyterHub API", "ok": False}]}


class MakeMonitor(Protocol):
    """Makes a monitor, with a repeatable rng unless a test brings its own."""

    def __call__(self, settings: HealthSettings, rng: random.Random | None = None) -> "Setup": ...


class Setup:
    """A monitor with what it tells."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        tasks: BackgroundTasks,
        settings: HealthSettings,
        rng: random.Random,
    ) -> None:
        self.registry = CollectorRegistry()
        self.changes: list[tuple[str, MemberState]] = []
        self.monitor = HealthMonitor(
            client=client,
            settings=settings,
            tasks=tasks,
            clock=time.monotonic,
            rng=rng,
            registry=self.registry,
            on_change=self._note,
        )

    def _note(self, name: str, health: Health) -> None:
        self.changes.append((name, health.state))

    def states(self, name: str) -> list[MemberState]:
        return [state for member, state in self.changes if member == name]

    async def until(self, name: str, state: MemberState) -> None:
        async def is_so() -> bool:
            return self.monitor.health(name).state is state

        await eventually(is_so, what=f"{name} to be {state}", within_seconds=10)

    def gauge(self, name: str) -> dict[str, float | None]:
        return {
            state.value: self.registry.get_sample_value(
                "binderfed_member_state", {"member": name, "state": state.value}
            )
            for state in MemberState
        }


@pytest.fixture
async def make_monitor(client: httpx.AsyncClient) -> AsyncIterator[MakeMonitor]:
    tasks = BackgroundTasks()

    def make(settings: HealthSettings, rng: random.Random | None = None) -> Setup:
        return Setup(client, tasks, settings, rng or random.Random(1))  # noqa: S311

    yield make
    await tasks.aclose()
    assert tasks.crashed() == {}


async def requests_are(member: ScriptedMember, count: int) -> None:
    async def are_so() -> bool:
        return member.requests["/health"] >= count

    await eventually(are_so, what=f"{count} probes", within_seconds=10)


async def test_the_first_probe_comes_at_once(
    member: ScriptedMember, make_monitor: MakeMonitor
) -> None:
    setup = make_monitor(RARE)
    assert setup.monitor.health("alpha").state is MemberState.UNKNOWN
    setup.monitor.watch("alpha", member.url)
    await setup.until("alpha", MemberState.UP)
    assert member.requests == {"/health": 1, "/versions": 1}
    result = setup.monitor.last_result("alpha")
    assert result is not None
    assert result.versions == {"builder": "binderhub", "binderhub": "1.0.0"}


async def test_the_first_round_is_waited_for_but_not_for_the_slow(
    member: ScriptedMember, make_monitor: MakeMonitor
) -> None:
    slow = ScriptedMember()
    slow.health = never_answer
    await slow.start()
    setup = make_monitor(HealthSettings(probe_every_seconds=1000, probe_timeout_seconds=30))
    setup.monitor.watch("alpha", member.url)
    await setup.monitor.wait_for_first_round(timeout_seconds=30)
    assert setup.monitor.health("alpha").state is MemberState.UP

    setup.monitor.watch("beta", slow.url)
    with capture_logs() as logs:
        await setup.monitor.wait_for_first_round(timeout_seconds=0.05)
    assert [log["members"] for log in logs] == [["beta"]]
    await slow.stop()


async def test_a_member_goes_and_comes_back(
    member: ScriptedMember, make_monitor: MakeMonitor
) -> None:
    setup = make_monitor(QUICK)
    setup.monitor.watch("alpha", member.url)
    await setup.until("alpha", MemberState.UP)
    await member.stop()
    await setup.until("alpha", MemberState.DOWN)
    assert setup.monitor.health("alpha").reason == "refused"
    await member.start()
    await setup.until("alpha", MemberState.UP)
    assert setup.states("alpha") == [
        MemberState.UP,
        MemberState.SUSPECT,
        MemberState.DOWN,
        MemberState.RECOVERING,
        MemberState.UP,
    ]


async def test_the_reason_names_the_check(
    member: ScriptedMember, make_monitor: MakeMonitor
) -> None:
    setup = make_monitor(QUICK)
    member.health = answer_json(HUB_FAILS, 503)
    with capture_logs() as logs:
        setup.monitor.watch("alpha", member.url)
        await setup.until("alpha", MemberState.DOWN)
    assert setup.monitor.health("alpha").reason == "check:JupyterHub API"
    told = [entry for entry in logs if entry["event"] == "member_state_changed"]
    assert [(entry["member"], entry["from"], entry["to"], entry["reason"]) for entry in told] == [
        ("alpha", "unknown", "down", "check:JupyterHub API")
    ]


async def test_a_slow_member_delays_nobody(
    member: ScriptedMember, make_monitor: MakeMonitor
) -> None:
    slow = ScriptedMember()
    slow.health = never_answer
    await slow.start()
    try:
        setup = make_monitor(QUICK.model_copy(update={"probe_timeout_seconds": 60.0}))
        setup.monitor.watch("slow", slow.url)
        setup.monitor.watch("alpha", member.url)
        await requests_are(member, 5)
        assert slow.requests["/health"] == 1
        assert setup.monitor.health("slow").state is MemberState.UNKNOWN
        setup.monitor.forget("slow")
    finally:
        await slow.stop()


async def test_many_calls_make_one_probe(member: ScriptedMember, make_monitor: MakeMonitor) -> None:
    # The usual time is 16 s or later, past every deadline here; the least pause is 2 s.
    setup = make_monitor(HealthSettings(probe_every_seconds=20.0))
    setup.monitor.watch("alpha", member.url)
    await setup.until("alpha", MemberState.UP)
    for _ in range(100):
        setup.monitor.probe_soon("alpha")
    await requests_are(member, 2)
    assert member.requests["/health"] == 2
    setup.monitor.probe_soon("nobody")


async def test_a_call_during_a_probe_makes_another_one(
    member: ScriptedMember, make_monitor: MakeMonitor
) -> None:
    setup = make_monitor(HealthSettings(probe_every_seconds=10.0, probe_timeout_seconds=1.0))
    member.health = never_answer
    setup.monitor.watch("alpha", member.url)
    await requests_are(member, 1)
    setup.monitor.probe_soon("alpha")
    member.health = answer_json(GOOD_HEALTH)
    await setup.until("alpha", MemberState.UP)


async def test_every_state_is_written(member: ScriptedMember, make_monitor: MakeMonitor) -> None:
    setup = make_monitor(QUICK)
    setup.monitor.watch("alpha", member.url)
    assert setup.gauge("alpha") == only("unknown")
    await setup.until("alpha", MemberState.UP)
    assert setup.gauge("alpha") == only("up")
    await member.stop()
    await setup.until("alpha", MemberState.DOWN)
    assert setup.gauge("alpha") == only("down")
    setup.monitor.forget("alpha")
    assert set(setup.gauge("alpha").values()) == {None}
    assert not [
        sample
        for metric in setup.registry.collect()
        for sample in metric.samples
        if sample.labels.get("member") == "alpha"
    ]


def only(state: str) -> dict[str, float | None]:
    return {each.value: float(each.value == state) for each in MemberState}


async def test_checks_that_are_no_longer_told_are_removed(
    member: ScriptedMember, make_monitor: MakeMonitor
) -> None:
    setup = make_monitor(QUICK)

    def check(name: str) -> float | None:
        labels = {"member": "alpha", "check": name}
        return setup.registry.get_sample_value("binderfed_member_check", labels)

    setup.monitor.watch("alpha", member.url)
    await setup.until("alpha", MemberState.UP)
    assert check("JupyterHub API") == 1
    member.health = answer_json({"ok": True, "checks": [{"service": "Other", "ok": True}]})

    async def is_replaced() -> bool:
        return check("Other") == 1

    await eventually(is_replaced, what="the other check")
    assert check("JupyterHub API") is None


async def test_draining_is_an_operators_axis(
    member: ScriptedMember, make_monitor: MakeMonitor
) -> None:
    setup = make_monitor(QUICK)
    setup.monitor.watch("alpha", member.url, is_draining=True)
    await requests_are(member, 2)
    assert setup.monitor.health("alpha").state is MemberState.DRAINING
    await member.stop()

    async def is_down_below() -> bool:
        return setup.monitor.health("alpha").probed is MemberState.DOWN

    await eventually(is_down_below, what="the probes to say that it is down")
    assert setup.gauge("alpha") == only("draining")
    setup.monitor.set_draining("alpha", False)
    assert setup.monitor.health("alpha").state is MemberState.DOWN
    assert setup.changes[-1] == ("alpha", MemberState.DOWN)


async def test_watching_again_keeps_what_is_known(
    member: ScriptedMember, make_monitor: MakeMonitor
) -> None:
    setup = make_monitor(RARE)
    setup.monitor.watch("alpha", member.url)
    await setup.until("alpha", MemberState.UP)
    setup.monitor.watch("alpha", member.url)
    assert setup.monitor.health("alpha").state is MemberState.UP
    setup.monitor.watch("alpha", "http://127.0.0.1:1")
    assert setup.monitor.health("alpha").state is MemberState.UNKNOWN
    assert set(setup.monitor.snapshot()) == {"alpha"}


async def test_nobody_is_probed_after_being_forgotten(
    member: ScriptedMember, make_monitor: MakeMonitor
) -> None:
    other = ScriptedMember()
    await other.start()
    try:
        setup = make_monitor(QUICK)
        setup.monitor.watch("alpha", member.url)
        setup.monitor.watch("beta", other.url)
        await requests_are(member, 1)
        setup.monitor.forget("alpha")
        before = member.requests["/health"]
        await requests_are(other, other.requests["/health"] + 5)
        assert member.requests["/health"] <= before + 1, "one may have been under way"
        assert set(setup.monitor.snapshot()) == {"beta"}
    finally:
        await other.stop()


async def test_an_address_that_crashes_the_probe_is_a_miss(make_monitor: MakeMonitor) -> None:
    """A port that cannot be raises an error that httpx does not translate."""
    setup = make_monitor(RARE)

    async def has_missed() -> bool:
        return setup.monitor.health("alpha").misses == 1

    with capture_logs() as logs:
        setup.monitor.watch("alpha", "http://127.0.0.1:99999")
        await eventually(has_missed, what="a miss")
    assert setup.monitor.health("alpha").reason == "probe_crashed"
    assert [entry["event"] for entry in logs] == ["probe_crashed"]


async def test_a_page_instead_of_health_is_not_well(
    member: ScriptedMember, make_monitor: MakeMonitor
) -> None:
    member.health = answer_text("<h1>Welcome to nginx</h1>")
    setup = make_monitor(QUICK)
    setup.monitor.watch("alpha", member.url)
    await setup.until("alpha", MemberState.DOWN)
    assert setup.monitor.health("alpha").reason == "malformed"


class RecordingRng(random.Random):
    """Remembers what was asked of it."""

    def __init__(self) -> None:
        super().__init__(1)
        self.asked: set[tuple[float, float]] = set()
        self.answers: set[float] = set()

    def uniform(self, a: float, b: float) -> float:
        self.asked.add((a, b))
        answer = super().uniform(a, b)
        self.answers.add(answer)
        return answer


async def test_probes_do_not_keep_step(member: ScriptedMember, make_monitor: MakeMonitor) -> None:
    """The pauses between probes vary by a fifth either way."""
    rng = RecordingRng()
    setup = make_monitor(QUICK, rng)
    setup.monitor.watch("alpha", member.url)
    await requests_are(member, 12)
    assert rng.asked == {(0.8, 1.2)}
    assert len(rng.answers) >= 11, "another one for each pause"
