"""A BinderHub's load, from what its health says now and then, and from what was sent."""

import pytest

from binder_federation.binder.spec import ImageKey
from binder_federation.config.federation import MemberKind
from binder_federation.federation.binderhub.pod_counts import PodCounts, read_load
from binder_federation.federation.core.snapshot import Load
from binder_federation.federation.locality.memory import MemoryLocalityStore
from binder_federation.federation.reports import Reports
from binder_federation.federation.roster import Member, Roster
from binder_federation.health.probes import ProbedCheck, ProbeResult

IMAGE = ImageKey("0" * 32)


def answer(**numbers: float) -> ProbeResult:
    check = ProbedCheck("Pod quota", ok=True, is_decisive=False, numbers=numbers)
    return ProbeResult(True, "ok", (ProbedCheck("JupyterHub API", True, True), check))


@pytest.mark.parametrize(
    ("result", "headroom", "load"),
    [
        (answer(total_pods=40, build_pods=2, quota=90), 0, Load(90, running=40, building=2)),
        (answer(total_pods=40, quota=90), 10, Load(80, running=40)),
        (answer(total_pods=3, quota=5), 10, Load(0, running=3)),
        (answer(total_pods=0, quota=0), 0, Load(0)),  # its maintenance
        (answer(total_pods=40), 0, None),  # no quota
        (answer(quota=90), 0, None),
        (ProbeResult(False, "timeout"), 0, None),
    ],
)
def test_the_check_is_read(result: ProbeResult, headroom: int, load: Load | None) -> None:
    assert read_load(result, headroom=headroom) == load


class Story:
    """One BinderHub and one agent, and a clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.reports = Reports(store=MemoryLocalityStore(), session_seconds=1e9)
        members = [
            Member("hub", "http://hub", 1.0, False, "", kind=MemberKind.BINDERHUB, pod_headroom=10),
            Member("agent", "http://agent", 1.0, False, "c" * 32),
        ]
        self.counts = PodCounts(
            roster=Roster(members), reports=self.reports, clock=lambda: self.now
        )

    def probe(self, pods: int, *, after: float = 10.0, name: str = "hub") -> None:
        self.now += after
        self.counts.observe(name, answer(total_pods=pods, quota=90))

    def send(self, launches: int, *, after: float = 1.0) -> None:
        self.now += after
        for _ in range(launches):
            self.reports.note_sent("hub", IMAGE, now=self.now)

    @property
    def used(self) -> int:
        load = self.reports.load("hub", now=self.now)
        assert load is not None, "nothing is known of the load"
        assert load.capacity == 80
        return load.used


def test_what_was_sent_since_it_counted_is_added() -> None:
    story = Story()
    story.probe(40)
    story.send(5)
    assert story.used == 45


def test_the_same_old_count_takes_nothing_off() -> None:
    """BinderHub counts once a minute: five answers of the same are one."""
    story = Story()
    story.probe(40)
    story.send(5)
    for _ in range(4):
        story.probe(40)
    assert story.used == 45


def test_a_new_count_has_what_was_sent_before_the_last_probe() -> None:
    story = Story()
    story.probe(40)
    story.send(5)
    story.probe(40)
    story.send(2)
    story.probe(45)
    assert story.used == 47, "two may have come after it counted"
    story.probe(45, after=61.0)
    assert story.used == 45, "after a minute the same number is a new count"


def test_a_member_that_refuses_for_want_of_room_is_full_until_it_counts_anew() -> None:
    story = Story()
    story.probe(40)
    story.reports.note_full("hub")
    load = story.reports.load("hub", now=story.now)
    assert load is not None
    assert load.is_full
    story.probe(41)
    assert story.used == 41


def test_an_agent_is_believed_its_reports_and_no_probe() -> None:
    story = Story()
    story.probe(40, name="agent")
    story.probe(40, name="nobody")
    assert story.reports.load("agent", now=story.now) is None


def test_what_was_counted_long_ago_is_not_known() -> None:
    story = Story()
    story.probe(40)
    assert story.reports.load("hub", now=story.now + 100) is not None
    assert story.reports.load("hub", now=story.now + 200) is None
