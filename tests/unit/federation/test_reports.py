"""What is believed of a member between its reports, and what other replicas tell of them."""

from binder_federation.binder.messages import ImageRecord, LoadRecord, Report
from binder_federation.binder.spec import ImageKey
from binder_federation.federation.core.snapshot import Load
from binder_federation.federation.locality.memory import MemoryLocalityStore
from binder_federation.federation.reports import Reports

NOW = 1000.0
KEY = ImageKey("1" * 32)


def make_report(sequence: int = 1, *, inventory: str = "whole", session: str = "s") -> Report:
    return Report.model_validate(
        {
            "member": "alpha",
            "session": session,
            "sequence": sequence,
            "load": LoadRecord(capacity=100, running=10, pending=2, building=1, build_slots=4),
            "inventory": inventory,
            "images": [ImageRecord(key=KEY, repository="gh/o/r")],
        }
    )


class Replica:
    """One replica's reports, and what it told others and was told of changes."""

    def __init__(self) -> None:
        self.store = MemoryLocalityStore()
        self.told: list[tuple[str, bytes]] = []
        self.changed: list[str] = []
        self.reports = Reports(
            store=self.store,
            session_seconds=1500.0,
            tell_others=lambda member, body: self.told.append((member, body)),
            on_change=self.changed.append,
            on_load_change=self.changed.append,
        )

    def used(self, now: float = NOW) -> int | None:
        load = self.reports.load("alpha", now=now)
        return None if load is None else load.used


async def test_what_is_sent_counts_until_a_report_tells_of_it() -> None:
    replica = Replica()
    await replica.reports.accept(make_report(), now=NOW)
    assert replica.used() == 12
    for _ in range(3):
        replica.reports.note_sent("alpha", KEY, now=NOW + 1)
    replica.reports.note_gone("alpha")
    assert replica.used() == 14
    await replica.reports.accept(make_report(2), now=NOW + 10)
    assert replica.used(NOW + 10) == 12


async def test_what_was_sent_just_before_a_report_may_not_be_in_it() -> None:
    """It tells of two that are starting: of the five that were sent just now, three are not
    counted yet. So a burst is not counted twice, nor forgotten."""
    replica = Replica()
    await replica.reports.accept(make_report(), now=NOW)
    for _ in range(5):
        replica.reports.note_sent("alpha", KEY, now=NOW + 9.9)
    await replica.reports.accept(make_report(2), now=NOW + 10)
    assert replica.used(NOW + 10) == 10 + 2 + 3


async def test_a_member_that_refused_for_want_of_room_is_full_until_it_reports() -> None:
    replica = Replica()
    await replica.reports.accept(make_report(), now=NOW)
    replica.reports.note_full("alpha")
    load = replica.reports.load("alpha", now=NOW)
    assert load is not None
    assert load.is_full
    await replica.reports.accept(make_report(2), now=NOW + 10)
    assert replica.reports.load("alpha", now=NOW + 10) == Load(100, 10, 2, 1, 4)


async def test_an_old_report_says_nothing_of_load() -> None:
    replica = Replica()
    await replica.reports.accept(make_report(), now=NOW)
    assert replica.used(NOW + 29) == 12
    assert replica.used(NOW + 31) is None


async def test_another_replica_hears_all_but_the_images() -> None:
    first, second = Replica(), Replica()
    await first.reports.accept(make_report(), now=NOW)
    [(member, body)] = first.told
    assert member == "alpha"
    assert KEY.encode() not in body
    second.reports.hear(body, now=NOW)
    assert second.used() == 12
    assert second.changed == ["alpha"]
    assert second.told == [], "what one hears is not told again"


async def test_changes_may_go_on_at_another_replica() -> None:
    """An agent behind a load balancer need not send all of its images each time."""
    first, second = Replica(), Replica()
    await first.reports.accept(make_report(), now=NOW)
    second.reports.hear(first.told[0][1], now=NOW)
    reply = await second.reports.accept(make_report(2, inventory="changes"), now=NOW + 10)
    assert not reply.send_whole_inventory
    reply = await first.reports.accept(make_report(3, inventory="changes"), now=NOW + 20)
    assert reply.send_whole_inventory, "it did not hear of report 2, so something may be missing"


def test_a_message_that_cannot_be_read_is_left_alone() -> None:
    replica = Replica()
    replica.reports.hear(b"not a report", now=NOW)
    assert replica.used() is None
