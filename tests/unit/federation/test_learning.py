"""From an attempt's events to what is expected of its member."""

import pytest

from binder_federation.binder.events import Phase
from binder_federation.binder.messages import EstimateRecord
from binder_federation.config.federation import EstimateSettings
from binder_federation.federation.core.cost import Cost, LocalityTier
from binder_federation.federation.learned import Learned, Work
from binder_federation.federation.stopwatch import Stopwatch

ATTEMPT = [
    (Phase.WAITING, 0.0),
    (Phase.FETCHING, 1.0),
    (Phase.BUILDING, 11.0),
    (Phase.PUSHING, 91.0),
    (Phase.BUILT, 111.0),
    (Phase.LAUNCHING, 111.0),
    (Phase.READY, 123.0),
]


def watch(tier: LocalityTier, events: list[tuple[Phase, float]]) -> dict[Work, float]:
    cost = Cost(tier, 10.0, 180.0, 20.0, 20.0, 0.0, 0.0, 0.0, 230.0)
    stopwatch = Stopwatch(cost, now=0.0)
    for phase, now in events:
        stopwatch.saw(phase, now=now)
    return dict(stopwatch.lessons())


def test_a_whole_build_tells_of_building_and_pushing() -> None:
    assert watch(LocalityTier.ABSENT, ATTEMPT) == {Work.BUILD: 90.0, Work.PUSH: 20.0}


def test_a_build_on_cached_layers_counts_as_the_whole_one() -> None:
    lessons = watch(LocalityTier.REBUILD, ATTEMPT)
    assert lessons[Work.BUILD] == pytest.approx(90.0 / 0.45)


def test_who_joined_a_build_learned_nothing_of_builds() -> None:
    assert watch(LocalityTier.BUILDING, ATTEMPT) == {}


def test_an_image_on_a_node_tells_of_spawning() -> None:
    events = [(Phase.BUILT, 0.1), (Phase.LAUNCHING, 0.1), (Phase.READY, 7.1)]
    assert watch(LocalityTier.NODE, events) == {Work.SPAWN: pytest.approx(7.0)}


def test_a_warm_server_tells_nothing_of_starting_one() -> None:
    stopwatch = Stopwatch(
        Cost(LocalityTier.NODE, 10.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 10.0), now=0.0
    )
    stopwatch.saw(Phase.LAUNCHING, now=0.1)
    stopwatch.saw(Phase.READY, now=0.2)
    stopwatch.note_warm()
    assert not list(stopwatch.lessons())


def test_one_that_was_gone_when_the_launch_came_does() -> None:
    events = [(Phase.BUILT, 0.1), (Phase.LAUNCHING, 0.1), (Phase.READY, 7.1)]
    assert watch(LocalityTier.WARM, events) == {Work.SPAWN: pytest.approx(7.0)}


def test_an_image_in_the_registry_tells_of_pulling() -> None:
    """Forty seconds over ten of spawning, where twenty of pulling were expected."""
    events = [(Phase.BUILT, 0.0), (Phase.LAUNCHING, 0.0), (Phase.READY, 50.0)]
    assert watch(LocalityTier.REGISTRY, events) == {Work.PULL: pytest.approx(2.0)}


SETTINGS = EstimateSettings()


def test_without_experience_the_settings_hold() -> None:
    estimates = Learned(settings=SETTINGS).estimates("alpha", EstimateRecord())
    assert estimates.build_seconds == pytest.approx(SETTINGS.build_seconds)
    assert estimates.spawn_seconds == pytest.approx(SETTINGS.spawn_seconds)
    assert estimates.pull_seconds(10**9) == pytest.approx(15.0)


def test_a_slow_member_is_known_for_it() -> None:
    learned = Learned(settings=SETTINGS)
    for _ in range(50):
        learned.observe("slow", Work.SPAWN, 40.0)
        learned.observe("quick", Work.SPAWN, 5.0)
        learned.observe("slow", Work.PULL, 3.0)
    slow = learned.estimates("slow", EstimateRecord())
    quick = learned.estimates("quick", EstimateRecord())
    assert slow.spawn_seconds > 20 > 10 > quick.spawn_seconds
    assert slow.pull_seconds(10**9) > 30


def test_what_a_member_reports_of_itself_counts_as_much_as_a_few_launches() -> None:
    learned = Learned(settings=SETTINGS)
    for _ in range(50):
        learned.observe("quick", Work.BUILD, 20.0)
    silent = learned.estimates("slow", EstimateRecord()).build_seconds
    slow = learned.estimates("slow", EstimateRecord(build_seconds=600.0)).build_seconds
    assert silent < 30.0
    assert 2 * silent < slow < 600.0


def test_one_quick_build_does_not_draw_all_that_follow() -> None:
    """The first member to build is not the quickest for ever: after some builds the others
    are expected to take as long, and ranks decide again."""
    learned = Learned(settings=EstimateSettings(build_seconds=6.0))
    for _ in range(10):
        learned.observe("first", Work.BUILD, 1.3)
    first = learned.estimates("first", EstimateRecord(build_seconds=1.3)).build_seconds
    other = learned.estimates("other", EstimateRecord()).build_seconds
    assert other - first < 1.0
