"""Sessions by repository, from reports and from what was sent since."""

import re

from binder_federation.binder.messages import LoadRecord, Report
from binder_federation.binder.spec import ImageKey
from binder_federation.federation.core.quotas import (
    QuotaRules,
    RepositoryRule,
    SessionTally,
)
from binder_federation.federation.limits.builds import LONGEST_SECONDS, RepositoryBuilds
from binder_federation.federation.limits.sessions import SILENT_SECONDS, RepositorySessions

NOW = 1000.0
A, B = "gh/owner/a", "gh/owner/b"
ONE, TWO = ImageKey("1" * 32), ImageKey("2" * 32)


def report(member: str, **repositories: int) -> Report:
    counts = {{"a": A, "b": B}[name]: count for name, count in repositories.items()}
    load = LoadRecord(capacity=99, running=sum(counts.values()))
    return Report(
        member=member, session="s", sequence=1, load=load, inventory="whole", repositories=counts
    )


def test_all_members_together() -> None:
    sessions = RepositorySessions(session_seconds=100)
    sessions.hear(report("alpha", a=3, b=1), now=NOW)
    sessions.hear(report("beta", a=2), now=NOW)
    assert (sessions.tally.of(A), sessions.tally.of(B), sessions.total) == (5, 1, 6)
    sessions.hear(report("alpha", a=1), now=NOW + 3)
    assert (sessions.tally.of(A), sessions.tally.of(B), sessions.total) == (3, 0, 3)


def test_what_is_sent_counts_until_a_report_shows_it_or_it_fails() -> None:
    sessions = RepositorySessions(session_seconds=100)
    sessions.hear(report("alpha"), now=NOW)
    for second in (1, 2, 3):
        sessions.sent("alpha", A, now=NOW + second)
    sessions.gone("alpha", A)
    sessions.gone("alpha", B)
    assert (sessions.tally.of(A), sessions.total) == (2, 2)
    sessions.hear(report("alpha", a=2), now=NOW + 4)
    assert (sessions.tally.of(A), sessions.total) == (2, 2)


def test_a_launch_on_its_way_while_the_member_reports_is_not_lost() -> None:
    sessions = RepositorySessions(session_seconds=100)
    sessions.hear(report("alpha", a=1), now=NOW)
    sessions.sent("alpha", A, now=NOW + 1)
    sessions.sent("alpha", A, now=NOW + 2.9)
    sessions.hear(report("alpha", a=2), now=NOW + 3)
    assert sessions.tally.of(A) == 3, "the second launch is not in the report yet"
    sessions.hear(report("alpha", a=3), now=NOW + 3.1)
    assert sessions.tally.of(A) == 3, "now it is, and counts once"


def test_a_member_without_reports_has_what_was_sent_lately() -> None:
    sessions = RepositorySessions(session_seconds=100)
    sessions.sent("hub", A, now=NOW)
    sessions.sent("hub", B, now=NOW + 50)
    sessions.forget_old(now=NOW + 100)
    assert (sessions.tally.of(A), sessions.tally.of(B), sessions.total) == (0, 1, 1)


def test_a_member_that_fell_silent_is_forgotten_in_time() -> None:
    sessions = RepositorySessions(session_seconds=100)
    sessions.hear(report("alpha", a=4), now=NOW)
    sessions.forget_old(now=NOW + SILENT_SECONDS - 1)
    assert sessions.tally.of(A) == 4
    sessions.forget_old(now=NOW + SILENT_SECONDS)
    assert (sessions.tally.of(A), sessions.total) == (0, 0)


def test_builds_of_one_repository() -> None:
    builds = RepositoryBuilds()
    builds.begun(A, ONE, now=NOW)
    builds.begun(A, TWO, now=NOW + 10)
    assert builds.under_way(A, besides=ONE, now=NOW + 20) == 1
    assert builds.under_way(B, besides=ONE, now=NOW + 20) == 0
    assert builds.known([ONE, "3" * 32]) == [ONE]
    assert builds.ended(ONE)
    assert not builds.ended(ONE)
    assert builds.under_way(A, besides=ONE, now=NOW + 10 + LONGEST_SECONDS) == 0


def test_of_a_rule_for_each_the_fullest_repository_counts() -> None:
    rules = QuotaRules(
        repositories=(
            RepositoryRule(re.compile("gh/course/.*"), 10, label="course"),
            RepositoryRule(re.compile("gh/.*"), 100, is_sum=True, label="all"),
        )
    )
    tally = SessionTally(rules)
    tally.add("gh/course/a", 3)
    tally.add("gh/course/b", 7)
    tally.add("gh/other/c", 50)

    assert tally.most_of_rules() == [7, 50]
    assert tally.of_group(1) == 60


def test_a_members_word_alone_uses_up_no_quota() -> None:
    sessions = RepositorySessions(session_seconds=100)
    sessions.hear(report("alpha", a=150), now=NOW)
    assert (sessions.tally.of(A), sessions.total) == (99, 99), "no more than its capacity"
    sessions.hear(report("alpha", a=1), now=NOW + 3)
    sessions.hear(report("alpha", a=90, b=90), now=NOW + 6)
    assert (sessions.tally.of(A), sessions.tally.of(B), sessions.total) == (1, 0, 1)


def test_a_member_that_comes_later_has_what_was_sent_there() -> None:
    sessions = RepositorySessions(session_seconds=100)
    sessions.hear(report("alpha"), now=NOW)
    sessions.hear(report("late", b=50), now=NOW + 120)
    assert (sessions.tally.of(B), sessions.total) == (0, 0)
    sessions.sent("late", B, now=NOW + 130)
    sessions.hear(report("late"), now=NOW + 133)  # it builds
    assert sessions.tally.of(B) == 0
    sessions.hear(report("late", b=1), now=NOW + 900)
    assert (sessions.tally.of(B), sessions.total) == (1, 1)
    sessions.hear(report("late", b=2), now=NOW + 903)
    assert sessions.tally.of(B) == 1, "the same launch counts once"
