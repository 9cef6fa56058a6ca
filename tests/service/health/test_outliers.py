"""The monitor with launches and votes: ejections, doubts and suspicion, as they are told."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from binder_federation.config.federation import HealthSettings
from binder_federation.federation.own_checks import make_own_checks
from binder_federation.federation.roster import Roster
from binder_federation.health.monitor import HealthMonitor
from binder_federation.health.review import Votes, nobody_votes
from binder_federation.health.state import Doubt, Health, MemberState, effective_weight
from binder_federation.health.suspicion import SuspicionLevel
from binder_federation.runtime.tasks import BackgroundTasks
from tests.service.health.scripted_member import ScriptedMember
from tests.support.eventually import eventually

# The clock below moves only when a test says so; what is late then comes with a review.
RARE = HealthSettings(probe_every_seconds=1000.0, probe_timeout_seconds=5.0, review_seconds=0.05)
QUICK = RARE.model_copy(update={"probe_every_seconds": 0.1})


class MiddleRng:
    """Probes keep step."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


class Setup:
    """A monitor of members that are all the same real server, at a time of the test's own."""

    def __init__(
        self, client: httpx.AsyncClient, tasks: BackgroundTasks, settings: HealthSettings
    ) -> None:
        self.now = 1000.0
        self.registry = CollectorRegistry()
        self.told: list[tuple[str, MemberState, bool]] = []
        self.votes: Votes = nobody_votes
        self.settings = settings
        self.monitor = HealthMonitor(
            client=client,
            settings=settings,
            tasks=tasks,
            clock=lambda: self.now,
            rng=MiddleRng(),
            registry=self.registry,
            on_change=self._note,
            votes=lambda member, now: self.votes(member, now),
        )

    def _note(self, name: str, health: Health) -> None:
        self.told.append((name, health.state, health.is_ejected))

    def launches(self, name: str, outcomes: str) -> None:
        for outcome in outcomes:
            self.monitor.observe_outcome(name, outcome == "+")

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        async def asks() -> bool:
            return holds()

        await eventually(asks, what=what)

    async def watch(self, member: ScriptedMember, *names: str) -> None:
        for name in names:
            self.monitor.watch(name, member.url)
        await self.until(
            lambda: all(self.monitor.health(n).state is MemberState.UP for n in names),
            "all members to be up",
        )
        self.told.clear()


async def own_network(setup: Setup) -> tuple[int, bool]:
    """The status of our own `/health`, and whether its check `Own network` is ok."""
    checks = make_own_checks(roster=Roster(()), monitor=setup.monitor, tasks=BackgroundTasks())
    answer = await checks.run()
    (check,) = [check for check in answer.checks if check["service"] == "Own network"]
    return answer.status, check["ok"]


@pytest.fixture(params=[RARE], ids=[""])
async def setup(request: pytest.FixtureRequest, client: httpx.AsyncClient) -> AsyncIterator[Setup]:
    tasks = BackgroundTasks()
    yield Setup(client, tasks, request.param)
    await tasks.aclose()
    assert tasks.crashed() == {}


async def test_an_ejection_is_told_counted_and_over_in_time(
    setup: Setup, member: ScriptedMember
) -> None:
    await setup.watch(member, "alpha", "beta")
    with capture_logs() as logs:
        setup.launches("alpha", "xxx")
        health = setup.monitor.health("alpha")
        assert (health.is_ejected, health.ejected_until) == (True, 1030.0)
        assert health.state is MemberState.UP, "ejection is another axis than the probes"
        setup.now = 1030.0
        await setup.until(lambda: not setup.monitor.health("alpha").is_ejected, "its end")

    assert setup.told == [("alpha", MemberState.UP, True), ("alpha", MemberState.UP, False)]
    told = [(e["event"], e["member"]) for e in logs if e["event"].startswith("member_")]
    assert told == [("member_ejected", "alpha"), ("member_ejection_ended", "alpha")]
    labels = {"member": "alpha", "reason": "success_rate"}
    assert setup.value("binderfed_member_ejections_total", **labels) == 1
    weight = effective_weight(
        1.0, setup.monitor.health("alpha"), now=setup.now, settings=setup.settings
    )
    assert weight == setup.settings.slow_start_floor, "and a slow start follows"


@pytest.mark.parametrize("setup", [QUICK], indirect=True, ids=[""])
async def test_probes_go_on_under_an_ejection_and_do_not_end_it(
    setup: Setup, member: ScriptedMember
) -> None:
    await setup.watch(member, "alpha", "beta")
    setup.launches("alpha", "xxx")
    probes = member.requests["/health"]
    await setup.until(lambda: member.requests["/health"] > probes + 4, "probes to go on")
    assert setup.monitor.health("alpha").is_ejected


async def test_whether_a_member_is_ejected_is_written_as_0_or_1_and_never_left(
    setup: Setup, member: ScriptedMember
) -> None:
    await setup.watch(member, "alpha", "beta")
    assert setup.value("binderfed_member_ejected", member="alpha") == 0
    setup.launches("alpha", "xxx")
    assert setup.value("binderfed_member_ejected", member="alpha") == 1
    assert setup.value("binderfed_member_ejected", member="beta") == 0
    setup.monitor.forget("alpha")
    left = [
        sample.name
        for metric in setup.registry.collect()
        for sample in metric.samples
        if sample.labels.get("member") == "alpha"
    ]
    assert left == [], "a member that is forgotten leaves no series behind"
    assert setup.monitor.success_share("alpha", setup.now) == 1.0


async def test_when_all_fail_nobody_is_ejected_and_it_is_said(
    setup: Setup, member: ScriptedMember
) -> None:
    await setup.watch(member, "alpha", "beta", "gamma")
    for _ in range(6):
        for name in ("alpha", "beta", "gamma"):
            setup.launches(name, "x")
    await setup.until(lambda: setup.monitor.suspicion().is_suspected, "a suspicion")
    assert setup.told == [], "nobody is ejected"
    levels = {
        level.value: setup.value("binderfed_self_suspicion", level=level.value)
        for level in SuspicionLevel
    }
    assert levels == {"none": 0, "suspected": 1, "confirmed": 0}
    setup.now += 120
    await setup.until(lambda: not setup.monitor.suspicion().is_suspected, "the suspicion to end")
    assert setup.value("binderfed_self_suspicion", level="none") == 1


@pytest.mark.parametrize(
    ("outcomes", "why"),
    [
        ("++++xxxxx", "self_suspicion"),  # with alpha, that makes two of three
        ("x+" * 100 + "x", "limit"),
    ],
)
async def test_an_ejection_that_is_withheld_is_counted(
    setup: Setup, member: ScriptedMember, outcomes: str, why: str
) -> None:
    await setup.watch(member, "alpha", "beta", "gamma")
    setup.launches("gamma", "+" * 200)
    setup.launches("alpha", "xxx")
    assert setup.monitor.health("alpha").is_ejected
    setup.launches("beta", outcomes)
    assert not setup.monitor.health("beta").is_ejected, "one of three is as many as may be"
    withheld = setup.value("binderfed_ejections_withheld_total", why=why)
    assert withheld is not None
    assert withheld > 0, f"{why} kept beta from being ejected"


async def test_a_low_success_rate_degrades_until_it_is_long_ago(
    setup: Setup, member: ScriptedMember
) -> None:
    await setup.watch(member, "alpha", "beta")
    setup.launches("beta", "+" * 30)
    setup.launches("alpha", "++x" * 10)
    health = setup.monitor.health("alpha")
    assert (health.state, health.doubt) == (MemberState.DEGRADED, Doubt.LAUNCHES)
    assert setup.monitor.verdicts() == {"alpha": "degraded", "beta": "up"}
    assert setup.told == [("alpha", MemberState.DEGRADED, False)]
    assert 0.6 < setup.monitor.success_share("alpha", setup.now) < 0.8
    setup.now += 3600
    await setup.until(
        lambda: setup.monitor.health("alpha").state is MemberState.UP, "alpha to be up again"
    )
    assert setup.monitor.success_share("alpha", setup.now) == pytest.approx(1.0, abs=1e-4)


async def test_what_most_other_replicas_hold_not_well_is_degraded_not_out(
    setup: Setup, member: ScriptedMember
) -> None:
    await setup.watch(member, "alpha", "beta", "gamma")
    setup.votes = lambda name, _now: {
        "r1": "down" if name == "alpha" else "up",
        "r2": "suspect" if name == "alpha" else "up",
        "r3": "up",
    }
    await setup.until(
        lambda: setup.monitor.health("alpha").state is MemberState.DEGRADED, "a doubt"
    )
    assert setup.monitor.health("alpha").doubt is Doubt.VOTES
    assert setup.monitor.verdicts()["alpha"] == "up", "a vote does not echo"
    setup.votes = nobody_votes
    await setup.until(
        lambda: setup.monitor.health("alpha").state is MemberState.UP, "the doubt to end"
    )


@pytest.mark.parametrize("setup", [QUICK], indirect=True, ids=[""])
async def test_when_others_see_well_what_fails_here_we_say_that_it_is_us(
    setup: Setup, member: ScriptedMember
) -> None:
    await setup.watch(member, "alpha", "beta", "gamma")
    setup.votes = lambda _name, _now: {"r1": "up"}
    await member.stop()
    await setup.until(lambda: setup.monitor.suspicion().is_confirmed, "a confirmed suspicion")
    await setup.until(
        lambda: all(h.misses > 8 for h in setup.monitor.snapshot().values()), "many misses"
    )
    assert {h.state for h in setup.monitor.snapshot().values()} == {MemberState.SUSPECT}
    assert await own_network(setup) == (503, False), "its load balancer is to use the others"
    assert set(setup.monitor.verdicts().values()) == {"suspect"}
    setup.votes = nobody_votes
    await setup.until(lambda: not setup.monitor.suspicion().is_confirmed, "no confirmation")
    assert await own_network(setup) == (200, False), "alone it is said, and stays ok"
    setup.votes = lambda _name, _now: {"r1": "down"}
    await setup.until(
        lambda: {h.state for h in setup.monitor.snapshot().values()} == {MemberState.DOWN},
        "members that others miss too to be down",
    )
    assert await own_network(setup) == (200, True), "then it is the members"


async def test_of_a_member_that_nobody_watches_nothing_is_observed(setup: Setup) -> None:
    setup.launches("nobody", "xxxxx")
    assert setup.monitor.health("nobody") == Health()
    assert setup.monitor.success_share("nobody", 0.0) == 1.0
