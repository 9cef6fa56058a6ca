"""Decisions make members busier and images hotter, here and at other replicas."""

from collections.abc import Callable

from binder_federation.binder.messages import LoadRecord, Report
from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.binder.spec import LaunchSpec
from binder_federation.federation.arrivals import Arrivals
from binder_federation.federation.decisions import Decisions
from binder_federation.federation.locality.memory import MemoryLocalityStore
from binder_federation.federation.reports import Reports
from binder_federation.federation.shared.bus import Listener, Topic

NOW = 1000.0
RESOLVED = ResolvedSpec(LaunchSpec("gh", "owner/repository", "HEAD"), "1" * 40)


class Wire:
    """A bus that hands what one publishes to whoever is on the other end."""

    def __init__(self) -> None:
        self.hear: Callable[[bytes], None] = lambda _body: None

    def publish(self, topic: Topic, body: bytes) -> None:
        assert topic is Topic.DECISION
        self.hear(body)

    def subscribe(self, topic: Topic, listener: Listener) -> None:
        raise AssertionError("the composition subscribes")


class Replica:
    def __init__(self) -> None:
        self.wire = Wire()
        self.arrivals = Arrivals()
        self.reports = Reports(store=MemoryLocalityStore(), session_seconds=1500.0)
        self.decisions = Decisions(bus=self.wire, reports=self.reports, arrivals=self.arrivals)

    async def prepare(self) -> None:
        report = Report(
            member="alpha", session="s", sequence=1, load=LoadRecord(capacity=9), inventory="whole"
        )
        await self.reports.accept(report, now=NOW)

    def used(self) -> int:
        load = self.reports.load("alpha", now=NOW)
        assert load is not None
        return load.used


async def test_two_replicas_count_the_same() -> None:
    here, there = Replica(), Replica()
    await here.prepare()
    await there.prepare()
    here.wire.hear = lambda body: there.decisions.hear(body, now=NOW)
    for _ in range(3):
        here.decisions.sent("alpha", RESOLVED, now=NOW)
    here.decisions.gone("alpha", RESOLVED)
    assert (here.used(), there.used()) == (2, 2)
    key = RESOLVED.image_key
    assert here.arrivals.per_second(key, now=NOW) == there.arrivals.per_second(key, now=NOW) > 0


def test_a_hot_image_is_known_with_its_source_where_it_was_launched() -> None:
    here, there = Replica(), Replica()
    here.wire.hear = lambda body: there.decisions.hear(body, now=NOW)
    for _ in range(10):
        here.decisions.sent("alpha", RESOLVED, now=NOW)
    [hot] = here.arrivals.hot(above_per_second=0.005, now=NOW)
    assert hot.resolved == RESOLVED
    assert list(there.arrivals.hot(above_per_second=0.01, now=NOW)) == []
    assert list(here.arrivals.hot(above_per_second=0.01, now=NOW)) == []


def test_an_image_is_hot_since_it_began_to_be_asked_for() -> None:
    arrivals, key = Arrivals(), RESOLVED.image_key
    for at in (0.0, 600.0, 1200.0):
        arrivals.note(key, now=NOW + at, resolved=RESOLVED)
    [hot] = arrivals.hot(above_per_second=0.0, now=NOW + 1200.0)
    assert hot.since == NOW
    arrivals.note(key, now=NOW + 86_400.0, resolved=RESOLVED)
    [hot] = arrivals.hot(above_per_second=0.0, now=NOW + 86_400.0)
    assert hot.since == NOW + 86_400.0, "a day later it begins again"


def test_images_that_nobody_asked_for_longest_are_forgotten() -> None:
    arrivals = Arrivals(most_images=2)
    keys = [RESOLVED.spec.image_key(str(number)) for number in range(3)]
    for key in keys:
        arrivals.note(key, now=NOW, resolved=RESOLVED)
    assert [arrivals.per_second(key, now=NOW) > 0 for key in keys] == [False, True, True]


def test_a_message_of_no_known_kind_is_left_alone() -> None:
    Replica().decisions.hear(b"?" + bytes(16) + b"alpha", now=NOW)
