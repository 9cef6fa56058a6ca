"""Outlier detection as transcripts: at a second, launches end at a member → who is out."""

from dataclasses import dataclass

import pytest

from tests.unit.health.launch_stories import Fleet


@dataclass(frozen=True)
class Story:
    """Lines `second member outcomes out`: + is a launch that ended well, x one that failed;
    `out` are the members that are ejected after it, or -."""

    name: str
    members: str
    text: str

    def lines(self) -> list[tuple[float, str, str, str]]:
        rows = [line.split() for line in self.text.strip().splitlines()]
        return [(float(row[0]), row[1], row[2], row[3]) for row in rows if row[0] != "#"]


STORIES = [
    Story(
        "three failures where nothing else happens are enough, and thirty seconds follow",
        "a b",
        """
        0   a  xx  -
        1   a  x   a
        30  b  +   a
        31  b  +   -
        """,
    ),
    Story(
        "five failures in a row eject, whatever the rate was",
        "a b",
        """
        0   a  ++++++++++++++++++++++++++++++  -
        1   a  xxxx                            -
        2   a  x                               a
        """,
    ),
    Story(
        "a success in between begins the row anew",
        "a b",
        """
        0   a  ++++++++++++++++++++++++++++++  -
        1   a  xxxx+xxxx                       -
        """,
    ),
    Story(
        "a rate that is surely under 0.6 of the others' ejects without any row",
        "a b",
        """
        0   b  ++++++++++++++++++++  -
        1   a  x+x+x+x+x+x           -
        2   a  +xx                   -
        3   a  +xx                   -
        4   a  +xx+xx                a
        """,
    ),
    Story(
        "the same rate, where the others do no better",
        "a b",
        """
        0   b  x+x+     -
        0   a  x+x+     -
        1   b  x+x+xx+  -
        1   a  x+x+xx+  -
        2   b  xx+xx+   -
        2   a  xx+xx+   -
        3   b  xx+xx+   -
        3   a  xx+xx+   -
        """,
    ),
    Story(
        "each ejection takes longer, and the first failure after one ejects again",
        "a b",
        """
        0    a  xxx  a
        31   a  +    -
        32   a  x    a
        91   b  +    a
        93   a  x    a
        182  b  +    a
        183  b  +    -
        """,
    ),
    Story(
        "after slow start one failure is one failure",
        "a b",
        """
        0    a  xxx  a
        31   a  ++   -
        91   a  x    -
        """,
    ),
    Story(
        "an hour later the first ejection is forgotten",
        "a b",
        """
        0     a  xxx  a
        3600  a  xxx  a
        3629  b  +    a
        3631  b  +    -
        """,
    ),
    Story(
        "what fails while a member is out began before, and does not prolong it",
        "a b",
        """
        0    a  xxx     a
        10   a  xxxxxx  a
        31   b  +       -
        """,
    ),
    Story(
        "one of two may be out, and both failing may be us",
        "a b",
        """
        0    a  xxx     a
        1    b  xxxxxx  a
        31   b  x       -
        """,
    ),
    Story(
        "a fleet of one ejects nobody",
        "a",
        """
        0    a  xxxxxxxxxx  -
        """,
    ),
    Story(
        "half of the members may be out, rounded down",
        "a b c d e",
        """
        0    c  ++++++++++  -
        0    d  ++++++++++  -
        0    e  ++++++++++  -
        1    a  xxxxx       a
        2    b  xxxxx       a,b
        3    c  xxxxx       a,b
        """,
    ),
    Story(
        "2018-01-17: all fail alike, and nobody is out",
        "a b c",
        """
        0    a  xx  -
        1    b  xx  -
        2    c  xx  -
        3    a  xx  -
        4    b  xx  -
        5    c  xx  -
        6    a  xx  -
        7    b  xx  -
        8    c  xx  -
        """,
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_story(story: Story) -> None:
    fleet = Fleet(story.members.split())
    for second, member, outcomes, expected in story.lines():
        for outcome in outcomes:
            fleet.launch(member, outcome == "+", second)
        out = ",".join(sorted(fleet.out(second))) or "-"
        assert out == expected, f"second {second:g}: {member} {outcomes}"


def test_deploy_3251_flapping_is_damped() -> None:
    """90 s good, 60 s bad, for two hours, a launch every 5 s that the member may get.

    Undamped, the member fails 12 launches in each of 48 bad times.
    """
    fleet = Fleet("abc")
    failed = 0
    for second in range(0, 7200, 5):
        is_good = second % 150 < 90
        for other in "bc":
            fleet.launch(other, True, second)
        if "a" not in fleet.out(second):
            fleet.launch("a", is_good, second)
            failed += not is_good
    lengths = [seconds for _, _, seconds in fleet.ejections]
    assert lengths[:4] == [30, 60, 90, 120]
    assert max(lengths) == lengths[-1] == 300, "it is out most of the time by then"
    assert failed <= 40, f"{failed} launches failed there; undamped it would be 576"


def test_a_clearly_low_rate_degrades_and_a_better_one_ends_it() -> None:
    fleet = Fleet("ab")
    for second in range(30):
        fleet.launch("b", True, second)
        fleet.launch("a", second % 3 != 0, second)
    assert fleet.ejections == []
    assert fleet.is_doubtful("a", 30), "a third of its launches fail, none of the others'"
    assert not fleet.is_doubtful("b", 30)
    for second in range(30, 70):
        fleet.launch("a", True, second)
    assert fleet.is_doubtful("a", 49, was_doubtful=True) or not fleet.is_doubtful("a", 70)
    assert not fleet.is_doubtful("a", 2000, was_doubtful=True), "what is long ago has faded"


def test_a_failure_or_two_degrade_nobody() -> None:
    fleet = Fleet("ab")
    fleet.launch("a", False, 0)
    fleet.launch("a", False, 1)
    assert not fleet.is_doubtful("a", 1)
