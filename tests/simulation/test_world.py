"""Worlds: what is drawn belongs to things, and the bound is one."""

from statistics import fmean

import pytest

from binder_federation.federation.simulation.bound import bound_waits
from binder_federation.federation.simulation.draws import rng_for
from binder_federation.federation.simulation.settings import WorldSettings
from binder_federation.federation.simulation.trace import make_trace
from binder_federation.federation.simulation.world import make_world
from tests.simulation.worlds import SETTINGS, TRACE, small_world

DAY_MINUTES = 1440
NEVER_MOVES = WorldSettings(moving_share=0.0)
MOVES_OFTEN = WorldSettings(moving_share=1.0, commit_median_days=1.0, commit_spread=0.01)


def daily_launches(days: int) -> list[tuple[int, str, str]]:
    return [(day * DAY_MINUTES, "a", "a/main") for day in range(days)]


def test_a_seed_draws_the_same_world_again() -> None:
    one, two = small_world(seed=4), small_world(seed=4)
    assert one == two, "everything comes from the seed"
    assert one.session != small_world(seed=5).session, "another seed is another world"


def test_launches_come_in_order_and_in_their_minutes() -> None:
    world = small_world()
    assert list(world.at) == sorted(world.at), "in time order"
    assert all(
        int(at // 60) == minute for at, minute in zip(world.at, TRACE.minutes, strict=True)
    ), "each in its own minute"


def test_an_image_is_the_same_whatever_else_is_launched() -> None:
    alone = make_world(make_trace("t", [(5, "a", "a/main")]), SETTINGS, seed=1)
    before = make_world(
        make_trace("t", [(5, "a", "a/main"), (6, "b", "b/main"), (7, "b", "b/x")]),
        SETTINGS,
        seed=1,
    )
    assert alone.images[0] == before.images[0], "drawn from the thing, not from the order"


@pytest.mark.parametrize(
    ("settings", "least", "most"), [(NEVER_MOVES, 1, 1), (MOVES_OFTEN, 20, 30)]
)
def test_commits_make_new_images_of_one_repository(
    settings: WorldSettings, least: int, most: int
) -> None:
    world = make_world(make_trace("t", daily_launches(40)), settings, seed=2)
    assert least <= len(world.images) <= most, "as many as its pace gives"
    assert {image.repository for image in world.images} == {0}, "all of the same repository"
    keys = {image.key for image in world.images}
    assert len(keys) == len(world.images), "each with a key of its own"


def test_sessions_last_between_their_bounds_and_as_long_as_said_in_the_mean() -> None:
    world = small_world()
    assert min(world.session) >= SETTINGS.session_base_seconds, "idle ones end no sooner"
    assert max(world.session) <= SETTINGS.session_most_seconds, "and none lasts longer"
    assert fmean(world.session) == pytest.approx(SETTINGS.session_mean_seconds, rel=0.06), (
        "the mean that slots are worked out from is the true one"
    )


def test_the_bound_builds_each_image_once() -> None:
    rows = [(0, "a", "a/main"), (1, "a", "a/main"), (300, "a", "a/main")]
    world = make_world(make_trace("t", rows), NEVER_MOVES, seed=1)
    waits, image = bound_waits(world), world.images[0]
    whole = image.build_seconds + 2 * image.transfer_seconds
    assert waits[0] == pytest.approx(whole), "the first waits for the build, its push and a pull"
    assert waits[1] == pytest.approx(max(0.0, whole - (world.at[1] - world.at[0]))), "the rest"
    assert waits[2] == 0.0, "later ones find it"


@pytest.mark.parametrize(("days_between", "is_quicker"), [(3, True), (20, False)])
def test_the_bound_rebuilds_quicker_what_was_built_recently(
    days_between: int, is_quicker: bool
) -> None:
    rows = [(0, "a", "a/one"), (days_between * DAY_MINUTES, "a", "a/two")]
    world = make_world(make_trace("t", rows), NEVER_MOVES, seed=1)
    image = world.images[1]
    factor = NEVER_MOVES.rebuild_factor if is_quicker else 1.0
    whole = image.build_seconds + 2 * image.transfer_seconds
    assert bound_waits(world)[1] == pytest.approx(factor * whole), "within 14 days"


def test_draws_of_different_things_differ() -> None:
    draws = {rng_for(1, "a", 1).random(), rng_for(1, "a", 2).random(), rng_for(2, "a", 1).random()}
    assert len(draws) == 3, "by name and by seed"
