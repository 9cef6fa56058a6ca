"""What the status page says: one sentence about all members, days, words."""

from dataclasses import replace

import pytest

from binder_federation.federation.history.episodes import Episode, EpisodeKind, MemberRecord
from binder_federation.federation.history.launch_counts import Sums
from binder_federation.federation.status.body import status_body
from binder_federation.federation.status.days import DAY_SECONDS, days_of
from binder_federation.federation.status.report import MemberStatus, Sessions, StatusReport
from binder_federation.federation.status.sample import AT, sample_report
from binder_federation.federation.status.words import (
    STATES,
    clock_time,
    duration,
    episode_title,
    reason_words,
    seconds,
    share,
)
from binder_federation.health.state import MemberState

FULL = Sessions(78, 2, 80)


def member(name: str, state: str, sessions: Sessions | None = None) -> MemberStatus:
    like = sample_report().members[0]
    return replace(like, name=name, state=state, since=AT - 300, sessions=sessions)


def report(*members: MemberStatus) -> StatusReport:
    return replace(sample_report(), members=members)


UP, DOWN = member("a", "up"), member("b", "down")


@pytest.mark.parametrize(
    ("members", "level", "headline"),
    [
        ([], "unknown", "This federation has no members yet."),
        ([member("a", "joining")], "unknown", "This federation has no members yet."),
        (
            [member("a", "unknown")] * 2,
            "unknown",
            "Nothing is known of the members yet: they are being asked.",
        ),
        ([UP], "good", "The only member is well."),
        ([UP, member("b", "up")], "good", "All members are well."),
        ([UP, member("b", "joining")], "good", "The only member is well."),
        ([UP, DOWN], "fair", "1 of 2 members takes launches; b has been down since 20:28 UTC."),
        ([DOWN], "bad", "No member takes launches now; b has been down since 20:28 UTC."),
        ([UP, member("b", "up", FULL)], "fair", "1 of 2 members takes launches; b is full."),
        (
            [UP, member("b", "recovering")],
            "fair",
            "All members take launches; b is coming back.",
        ),
        (
            [UP, UP, member("d", "draining"), DOWN],
            "fair",
            "2 of 4 members take launches; b has been down since 20:28 UTC, d is in maintenance.",
        ),
        (
            [UP, *(member(f"b{i}", "ejected") for i in range(5))],
            "fair",
            (
                "1 of 6 members takes launches; b0 is paused after failures, b1 is paused after"
                " failures, b2 is paused after failures, 2 more are not fully there."
            ),
        ),
    ],
)
def test_one_sentence_about_all(members: list[MemberStatus], level: str, headline: str) -> None:
    told = report(*members)
    assert (told.headline, told.level) == (headline, level)


def test_every_state_has_words() -> None:
    assert {state.value for state in MemberState} <= STATES.keys()
    for state in STATES:
        told = status_body(report(member("a", state)))["members"][0]
        assert told["state"] == state
        assert told["words"]


@pytest.mark.parametrize(
    ("sessions", "text"),
    [
        (Sessions(3, 0, 8), "3 of 8 sessions"),
        (Sessions(3, 1, 8), "4 of 8 sessions, 1 of them starting"),
        (Sessions(8, 0, 8), "8 of 8 sessions (full)"),
        (Sessions(0, 0, 0), "takes no sessions now"),
    ],
)
def test_a_load_in_words(sessions: Sessions, text: str) -> None:
    assert sessions.text == text
    assert 0 <= sessions.percent <= 100


def incident(begin: float, end: float | None) -> Episode:
    return Episode("x", "a", EpisodeKind.INCIDENT, "", begin, begin, end)


def test_the_days_of_a_member() -> None:
    now = 1000 * DAY_SECONDS + 7200.0
    record = MemberRecord("a", now - 10 * DAY_SECONDS, was_well=True)
    short = incident(now - 3 * DAY_SECONDS, now - 3 * DAY_SECONDS + 600)
    long = incident(now - 5 * DAY_SECONDS, now - 5 * DAY_SECONDS + 7200)
    days = days_of(replace(record, episodes=(long, short)), now=now)
    assert [(run.days, run.level) for run in days.runs] == [
        (79, "none"), (5, "good"), (1, "bad"), (1, "good"), (1, "fair"), (3, "good"),
    ]  # fmt: skip
    assert days.text == (
        "The last 11 days: 2 incidents, 2 h 10 min in all; well 99.1 % of the time."
    )


def test_an_incident_that_goes_on_makes_a_bad_day() -> None:
    now = 1000 * DAY_SECONDS + 7200.0
    record = MemberRecord("a", now - DAY_SECONDS, episodes=(incident(now - 60, None),))
    assert days_of(record, now=now).runs[-1].level == "bad"


def test_quiet_days_are_told_as_all_others() -> None:
    now = 1000 * DAY_SECONDS + 7200.0
    for days in (0, 1, 10, 89, 90, 500):
        record = MemberRecord("a", now - days * DAY_SECONDS)
        old = replace(record, episodes=(incident(AT - 1000 * DAY_SECONDS, 0.0),))
        quiet = days_of(record, now=now)
        assert (quiet.runs, quiet.text) == (days_of(old, now=now).runs, quiet.text), days
        assert sum(run.days for run in quiet.runs) == 90


def test_of_nobody_nothing_is_known() -> None:
    days = days_of(None, now=AT)
    assert days.well_share is None
    assert days.text == "Nothing is known of the days before."


def test_words() -> None:
    spans = {
        5: "under a minute",
        720: "12 min",
        7200: "2 h",
        11_100: "3 h 5 min",
        90_000: "1 d 1 h",
    }
    assert {at: duration(at) for at in spans} == spans
    assert [share(value) for value in (None, 0.0, 0.973, 0.99999, 1.0)] == [
        "–", "0 %", "97.3 %", "99.9 %", "100 %",
    ]  # fmt: skip
    assert clock_time(AT, now=AT) == "20:33 UTC"
    assert clock_time(AT, now=AT + 90_000) == "23 Nov, 20:33 UTC"
    assert reason_words("check:JupyterHub API") == "its check “JupyterHub API” fails"
    assert reason_words("status_502") == "it answers with status 502"
    assert reason_words("something_new") == "something new"
    assert seconds(Sums(by_slot={0: 1})) == "1 s"
    assert seconds(Sums(by_slot={30: 1})) == "4 min"
    ended = replace(incident(AT - 900, AT - 180), reason="timeout")
    assert episode_title(ended, now=AT) == "a was down for 12 min"
