"""Arrivals, spawn time and room → how many warm servers."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.cluster_agent.core.arrivals import Rate, observe_arrival, rate_now
from binder_federation.cluster_agent.core.warm_sizing import (
    Occupancy,
    WarmRules,
    hit_share,
    room_to_keep,
    room_to_start,
    size_pool,
    wanted_servers,
)

RULES = WarmRules()
EMPTY = Occupancy(capacity=200, sessions=0)

rates = st.dictionaries(
    st.sampled_from("abcdef"), st.floats(min_value=0.0, max_value=2.0), max_size=6
)
rules = st.builds(
    WarmRules,
    share=st.floats(min_value=0.0, max_value=1.0),
    free_share=st.floats(min_value=0.0, max_value=1.0),
    most_per_image=st.integers(min_value=1, max_value=30),
    margin=st.floats(min_value=0.0, max_value=4.0),
)
occupancies = st.builds(
    Occupancy,
    capacity=st.integers(min_value=0, max_value=500),
    sessions=st.integers(min_value=0, max_value=600),
)
spawns = st.floats(min_value=0.01, max_value=300.0)


@pytest.mark.parametrize(
    ("per_hour", "spawn_seconds", "expected"),
    [
        (5.9, 10.0, 0),  # it would wait in vain too often
        (6.0, 10.0, 1),
        (30.0, 10.0, 1),  # a = 0.08
        (360.0, 10.0, 4),  # a = 1
        (324.0, 100.0, 18),  # a = 9
        (3600.0, 100.0, 20),  # as many as one image may have
    ],
)
def test_servers_follow_arrivals_and_spawn_time(
    per_hour: float, spawn_seconds: float, expected: int
) -> None:
    assert wanted_servers(per_hour / 3600, spawn_seconds=spawn_seconds, rules=RULES) == expected


@pytest.mark.parametrize(
    ("servers", "offered", "expected"),
    [(0, 1.0, 0.0), (1, 1.0, 0.5), (2, 1.0, 0.8), (3, 1.0, 0.9375), (1, 0.25, 0.8), (1, 0.0, 1.0)],
)
def test_the_share_of_hits_is_erlangs(servers: int, offered: float, expected: float) -> None:
    assert hit_share(servers, offered) == pytest.approx(expected)


def test_what_the_documents_say_of_the_margin() -> None:
    """0.98 from one erlang on; below that 0.91 at the worst."""
    shares = {
        offered / 100: hit_share(
            wanted_servers(offered / 100, spawn_seconds=1.0, rules=RULES), offered / 100
        )
        for offered in range(1, 800)
    }
    assert min(shares.values()) == pytest.approx(0.917, abs=0.01)
    assert min(share for offered, share in shares.items() if offered >= 1.0) >= 0.98


@given(rates, spawns, occupancies, rules)
def test_all_together_are_never_more_than_the_share(
    by_image: dict[str, float], spawn_seconds: float, occupancy: Occupancy, its_rules: WarmRules
) -> None:
    sized = size_pool(by_image, spawn_seconds=spawn_seconds, occupancy=occupancy, rules=its_rules)
    total = sum(sized.values())
    assert total <= its_rules.share * occupancy.capacity + 1e-6
    assert total == 0 or total + occupancy.sessions <= occupancy.capacity
    assert all(0 < servers <= its_rules.most_per_image for servers in sized.values())


@given(rates, st.sampled_from("abcdef"), st.floats(0.0, 1.0), spawns, occupancies, rules)
def test_more_launches_of_an_image_never_make_its_servers_fewer(
    by_image: dict[str, float],
    image: str,
    more: float,
    spawn_seconds: float,
    occupancy: Occupancy,
    its_rules: WarmRules,
) -> None:
    hotter = {**by_image, image: by_image.get(image, 0.0) + more}
    before, after = (
        size_pool(each, spawn_seconds=spawn_seconds, occupancy=occupancy, rules=its_rules)
        for each in (by_image, hotter)
    )
    assert after.get(image, 0) >= before.get(image, 0)


@given(rates, spawns, occupancies)
def test_switched_off_there_are_none(
    by_image: dict[str, float], spawn_seconds: float, occupancy: Occupancy
) -> None:
    off = replace(RULES, is_on=False)
    assert not size_pool(by_image, spawn_seconds=spawn_seconds, occupancy=occupancy, rules=off)
    assert room_to_keep(occupancy, off) == 0


def test_room_goes_where_it_is_used_most() -> None:
    """Eight for two images that want fourteen: nearly all to the one that has the visitors."""
    wants = {"hot": 0.5, "tepid": 0.05}
    few = Occupancy(capacity=80, sessions=0)
    sized = size_pool(wants, spawn_seconds=10.0, occupancy=few, rules=RULES)
    assert dict(sized) == {"hot": 7, "tepid": 1}


@pytest.mark.parametrize(
    ("sessions", "to_start", "to_keep"),
    [
        (0, 20, 20),
        (160, 20, 20),
        (170, 10, 20),
        (180, 0, 10),
        (185, 0, 5),
        (190, 0, 0),
        (250, 0, 0),
    ],
)
def test_a_member_that_fills_has_fewer(sessions: int, to_start: int, to_keep: int) -> None:
    occupancy = Occupancy(capacity=200, sessions=sessions)
    assert room_to_start(occupancy, RULES) == to_start
    assert room_to_keep(occupancy, RULES) == to_keep


def test_a_tenth_of_fifty_is_five() -> None:
    assert room_to_start(Occupancy(capacity=50, sessions=0), RULES) == 5


def test_a_rate_settles_at_what_comes_and_fades() -> None:
    rate, now = Rate(), 0.0
    for _ in range(2000):
        now += 20.0
        rate = observe_arrival(rate, now=now, memory_seconds=1800.0)
    assert rate.per_second == pytest.approx(0.05, rel=0.02)
    later = rate_now(rate, now=now + 1800.0, memory_seconds=1800.0)
    assert later == pytest.approx(rate.per_second / 2.718, rel=0.01)
