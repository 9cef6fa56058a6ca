"""What members tell of their warm servers → where a decision finds them."""

from binder_federation.binder.messages import LoadRecord, Report, WarmRecord
from binder_federation.binder.spec import ImageKey
from binder_federation.federation.locality.memory import MemoryLocalityStore
from binder_federation.federation.reports import REPORT_LIFETIME_SECONDS, Reports
from binder_federation.federation.warm_servers import WarmServers

NOW = 1000.0
HOT, OTHER = ImageKey("1" * 32), ImageKey("2" * 32)


def make_report(sequence: int = 1, member: str = "alpha", **servers: int) -> Report:
    keys = {"hot": HOT, "other": OTHER}
    return Report(
        member=member,
        session="s",
        sequence=sequence,
        load=LoadRecord(capacity=10, warm=sum(servers.values())),
        warm=tuple(WarmRecord(key=keys[name], servers=n) for name, n in servers.items()),
        inventory="whole",
    )


def make_reports(told: list[bytes] | None = None) -> Reports:
    sink = told if told is not None else []
    return Reports(
        store=MemoryLocalityStore(),
        session_seconds=1500.0,
        tell_others=lambda _member, body: sink.append(body),
    )


async def test_each_report_tells_of_all() -> None:
    reports = make_reports()
    await reports.accept(make_report(1, hot=3, other=1), now=NOW)
    await reports.accept(make_report(1, "beta", hot=1), now=NOW)
    assert dict(reports.warm(HOT)) == {"alpha": 3, "beta": 1}
    await reports.accept(make_report(2, hot=2), now=NOW + 1)
    assert dict(reports.warm(HOT)) == {"alpha": 2, "beta": 1}
    assert not reports.warm(OTHER)


async def test_a_launch_that_is_sent_there_takes_one() -> None:
    reports = make_reports()
    await reports.accept(make_report(hot=2), now=NOW)
    reports.note_sent("alpha", HOT, now=NOW)
    assert dict(reports.warm(HOT)) == {"alpha": 1}
    reports.note_sent("alpha", OTHER, now=NOW)
    reports.note_sent("alpha", HOT, now=NOW)
    assert not reports.warm(HOT), "the next launch would find none"


async def test_warm_servers_make_nobody_fuller() -> None:
    reports = make_reports()
    await reports.accept(make_report(hot=4), now=NOW)
    load = reports.load("alpha", now=NOW)
    assert load is not None
    assert (load.used, load.warm) == (0, 4)


async def test_other_replicas_hear_of_them() -> None:
    told: list[bytes] = []
    await make_reports(told).accept(make_report(hot=2), now=NOW)
    other = make_reports()
    other.hear(told[0], now=NOW)
    assert dict(other.warm(HOT)) == {"alpha": 2}


async def test_a_member_that_says_nothing_for_long_has_none() -> None:
    reports = make_reports()
    await reports.accept(make_report(hot=2), now=NOW)
    reports.forget_old(now=NOW + REPORT_LIFETIME_SECONDS - 1)
    assert reports.warm(HOT)
    reports.forget_old(now=NOW + REPORT_LIFETIME_SECONDS + 1)
    assert not reports.warm(HOT)


def test_nothing_is_kept_of_what_is_gone() -> None:
    servers = WarmServers()
    servers.hear("alpha", [WarmRecord(key=HOT, servers=1)])
    servers.note_sent("alpha", HOT)
    servers.hear("alpha", [])
    assert not servers.at(HOT)
    assert not servers.members()
