"""Most members fail at once: transcripts of probes → states and how sure we are of ourselves."""

from dataclasses import dataclass

import pytest

from binder_federation.config.federation import HealthSettings
from binder_federation.health.evidence import LaunchEvidence
from binder_federation.health.review import Votes, nobody_votes, review
from binder_federation.health.state import Health, observe_probe
from binder_federation.health.suspicion import SelfSuspicion, SuspicionCause, SuspicionLevel
from binder_federation.health.votes import Tally

SETTINGS = HealthSettings()


class Replica:
    """A replica's view of its members, without probes of its own."""

    def __init__(self, size: int, votes: Votes = nobody_votes) -> None:
        self.names = [f"m{number}" for number in range(size)]
        self.healths = {name: Health() for name in self.names}
        self.evidence = LaunchEvidence(SETTINGS)
        for name in self.names:
            self.evidence.watch(name)
        self.votes = votes
        self.suspicion, self.tally = SelfSuspicion(), Tally()

    def round(self, now: float, passes: str) -> None:
        """Probe each member, a second after the other: + passes, x misses, . is not asked."""
        for offset, (name, letter) in enumerate(zip(self.names, passes, strict=True)):
            if letter == ".":
                continue
            self.healths[name] = observe_probe(
                self.healths[name],
                letter == "+",
                "ok" if letter == "+" else "timeout",
                now=now + offset,
                settings=SETTINGS,
                patience=self.suspicion.patience(name, settings=SETTINGS),
            )
            self.look(now + offset)

    def look(self, now: float) -> None:
        found = review(
            self.healths,
            self.evidence.records,
            self.suspicion,
            tally=None,
            votes=self.votes,
            now=now,
            settings=SETTINGS,
        )
        self.tally, self.suspicion = found.tally, found.suspicion

    @property
    def states(self) -> str:
        return "".join(self.healths[name].state.value[0] for name in self.names)


@dataclass(frozen=True)
class Story:
    """Lines `second passes states level`: states by their first letter (u s d r)."""

    name: str
    text: str

    def lines(self) -> list[tuple[float, str, str, str]]:
        rows = [line.split() for line in self.text.strip().splitlines()]
        return [(float(row[0]), row[1], row[2], row[3]) for row in rows]


STORIES = [
    Story(
        "one of two is dead: DOWN as quickly as ever",
        """
        0   ++  uu  none
        10  x+  uu  none
        20  x+  su  none
        30  x+  su  none
        40  x+  su  none
        50  x+  du  none
        """,
    ),
    Story(
        "both of two are silent: held, and DOWN after twice as long",
        """
        0   ++  uu  none
        10  xx  uu  none
        20  xx  ss  suspected
        30  xx  ss  suspected
        50  xx  ss  suspected
        60  xx  ss  suspected
        70  xx  ss  suspected
        80  xx  ss  suspected
        90  xx  ss  suspected
        95  xx  ss  suspected
        99  xx  dd  none
        """,
    ),
    Story(
        "our network is back: all are UP at once, and no slow start",
        """
        0   +++  uuu  none
        10  xxx  uuu  none
        20  xxx  sss  suspected
        30  xxx  sss  suspected
        40  xxx  sss  suspected
        50  xxx  sss  suspected
        60  xxx  sss  suspected
        70  +++  uuu  none
        """,
    ),
    Story(
        "two of three at once may be us, the third is well all the time",
        """
        0   +++  uuu  none
        10  xx+  uuu  none
        20  xx+  ssu  suspected
        30  xx+  ssu  suspected
        40  xx+  ssu  suspected
        50  xx+  ssu  suspected
        60  xx+  ssu  suspected
        """,
    ),
    Story(
        "two of four are not most",
        """
        0   ++++  uuuu  none
        10  xx++  uuuu  none
        20  xx++  ssuu  none
        30  xx++  ssuu  none
        40  xx++  ssuu  none
        50  xx++  dduu  none
        """,
    ),
    Story(
        "two of three, one long after the other: that is no event of ours",
        """
        0    +++  uuu  none
        10   x++  uuu  none
        20   x++  suu  none
        30   x++  suu  none
        40   x++  suu  none
        50   x++  duu  none
        100  .x+  duu  none
        110  .x+  dsu  none
        120  .x+  dsu  none
        130  .x+  dsu  none
        140  .x+  ddu  none
        """,
    ),
    Story(
        "those that were well before count: one was down long ago, now both others go",
        """
        0    +++  uuu  none
        10   x++  uuu  none
        20   x++  suu  none
        30   x++  suu  none
        40   x++  suu  none
        50   x++  duu  none
        200  .xx  duu  none
        210  .xx  dss  suspected
        220  .xx  dss  suspected
        230  .xx  dss  suspected
        240  .xx  dss  suspected
        """,
    ),
    Story(
        "the last well member of a fleet gets no longer than others",
        """
        0   +  u  none
        10  x  u  none
        20  x  s  none
        30  x  s  none
        40  x  s  none
        50  x  d  none
        """,
    ),
]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_story(story: Story) -> None:
    lines = story.lines()
    replica = Replica(len(lines[0][1]))
    for second, passes, states, level in lines:
        replica.round(second, passes)
        told = (replica.states, replica.suspicion.level.value)
        assert told == (states, level), f"second {second:g}: {passes}"


ROUNDS = [(0.0, "+++"), *((10.0 * n, "xxx") for n in range(1, 6))]


def after_five_misses(votes: Votes) -> Replica:
    replica = Replica(3, votes)
    for second, passes in ROUNDS:
        replica.round(second, passes)
    return replica


def test_others_that_miss_the_same_members_confirm_that_they_are_down() -> None:
    replica = after_five_misses(lambda _member, _now: {"other": "suspect"})
    assert replica.states == "ddd", "it is not us: the usual five misses are enough"
    assert not replica.suspicion.is_suspected


def test_others_that_see_them_well_make_us_sure_that_it_is_us() -> None:
    replica = after_five_misses(lambda _member, _now: {"other": "up"})
    for number in range(6, 40):
        replica.round(10.0 * number, "xxx")
    assert replica.states == "sss", "as long as others see them well they are not DOWN"
    assert replica.suspicion.level is SuspicionLevel.CONFIRMED
    assert replica.suspicion.cause is SuspicionCause.VOTES
    assert replica.suspicion.since == 21.0, "when the second of the three was missed twice"
    replica.round(400.0, "+++")
    assert not replica.suspicion.is_suspected


def test_others_without_an_opinion_change_nothing() -> None:
    replica = after_five_misses(lambda _member, _now: {"other": "unknown"})
    assert replica.states == "sss"
    assert replica.suspicion.level is SuspicionLevel.SUSPECTED


def test_launches_that_fail_everywhere_make_us_suspect_ourselves() -> None:
    replica = Replica(3)
    for name in replica.names:
        replica.evidence.observe(name, False, now=1.0)
        replica.evidence.observe(name, False, now=2.0)
    replica.look(3.0)
    assert replica.suspicion.cause is SuspicionCause.LAUNCHES
    assert replica.suspicion.members == {"m0", "m1", "m2"}
    replica.evidence.observe("m0", True, now=4.0)
    replica.evidence.observe("m1", True, now=4.0)
    replica.look(5.0)
    assert not replica.suspicion.is_suspected
    replica.look(100.0)


def test_a_member_that_gets_no_launches_says_nothing_either_way() -> None:
    replica = Replica(20)
    for name in replica.names[:2]:
        replica.evidence.observe(name, False, now=1.0)
        replica.evidence.observe(name, False, now=1.0)
    replica.look(2.0)
    assert replica.suspicion.is_suspected, "all that were tried fail"
    for name in replica.names[2:5]:
        replica.evidence.observe(name, True, now=3.0)
    replica.look(4.0)
    assert not replica.suspicion.is_suspected, "three others do well"
