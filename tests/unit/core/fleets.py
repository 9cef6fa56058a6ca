"""Makes fleets and images for the tests of the decision, with little to write."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from binder_federation.binder.messages import Tier
from binder_federation.binder.spec import ImageKey
from binder_federation.config.federation import HealthSettings
from binder_federation.federation.core.snapshot import (
    Estimates,
    Fleet,
    ImageView,
    Load,
    MemberView,
)
from binder_federation.health.state import MemberState

SETTINGS = HealthSettings()
NOW = 100_000.0
KEY = ImageKey("0" * 32)


def make_member(name: str = "alpha", **fields: Any) -> MemberView:
    """A member that is UP and idle unless `fields` say otherwise."""
    values: dict[str, Any] = {"state": MemberState.UP, "last_well_at": NOW - 5, **fields}
    if values["state"] is MemberState.DRAINING:
        values["is_draining"] = True
    if isinstance(used := values.pop("used", None), int):
        values["load"] = Load(capacity=values.pop("capacity", 100), running=used)
    if "effective_weight" not in values and "weight" in values:
        values["effective_weight"] = values["weight"]
    return MemberView(name=name, **values)


def make_fleet(*members: MemberView) -> Fleet:
    return Fleet(members)


def idle_fleet(*names: str) -> Fleet:
    return Fleet(tuple(make_member(name, used=0) for name in names))


def make_image(
    repository: str = "gh/owner/repository",
    *,
    node: Iterable[str] = (),
    registry: Iterable[str] = (),
    building: Mapping[str, float] | None = None,
    built: Iterable[str] = (),
    warm: Mapping[str, int] | None = None,
    size_bytes: int = 1_000_000_000,
) -> ImageView:
    tiers = dict.fromkeys(node, Tier.NODE) | dict.fromkeys(registry, Tier.REGISTRY)
    return ImageView(
        key=KEY,
        affinity_key=repository,
        size_bytes=size_bytes,
        tiers=tiers,
        warm=warm or {},
        building_since=building or {},
        built_repository_recently=frozenset(built),
    )


def make_rng(seed: int = 1) -> random.Random:
    return random.Random(seed)  # noqa: S311 - repeatable on purpose


# Strategies: any member, any fleet, any image of it.

loads = st.none() | st.builds(
    Load,
    capacity=st.integers(0, 50),
    running=st.integers(0, 40),
    pending=st.integers(0, 10),
    building=st.integers(0, 6),
    build_slots=st.integers(0, 4),
)

estimates = st.builds(
    Estimates,
    spawn_seconds=st.floats(0.1, 60),
    build_seconds=st.floats(1, 1800),
    push_seconds=st.floats(0, 300),
    pull_base_seconds=st.floats(0, 60),
    bandwidth_bytes_per_second=st.floats(1e6, 1e10),
    node_share=st.floats(0, 1),
)


@st.composite
def members(draw: st.DrawFn, name: str = "alpha") -> MemberView:
    state = draw(st.sampled_from(MemberState))
    return MemberView(
        name=name,
        state=state,
        weight=draw(st.floats(0.1, 10)),
        effective_weight=draw(st.floats(0.1, 10)),
        load=draw(loads),
        is_compatible=draw(st.booleans() | st.just(True)),
        is_draining=state is MemberState.DRAINING,
        last_well_at=draw(st.none() | st.floats(NOW - 2000, NOW)),
        is_ejected=draw(st.booleans()),
        estimates=draw(estimates),
    )


@st.composite
def fleets(draw: st.DrawFn, max_size: int = 30) -> Fleet:
    """Up to `max_size` members of at most six different kinds: drawing each takes long."""
    kinds = draw(st.lists(members(), min_size=1, max_size=6))
    count = draw(st.integers(0, max_size))
    return Fleet(
        tuple(replace(kinds[number % len(kinds)], name=f"m{number}") for number in range(count))
    )


@st.composite
def images(draw: st.DrawFn) -> ImageView:
    names = st.sampled_from([f"m{number}" for number in range(30)])
    return ImageView(
        key=KEY,
        affinity_key=draw(st.sampled_from(["gh/a/a", "gh/b/b", "git/https://c.org/c"])),
        size_bytes=draw(st.integers(0, 10**11)),
        tiers=draw(st.dictionaries(names, st.sampled_from(Tier), max_size=20)),
        warm=draw(st.dictionaries(names, st.integers(1, 5), max_size=3)),
        building_since=draw(st.dictionaries(names, st.floats(NOW - 5000, NOW), max_size=2)),
        built_repository_recently=draw(st.frozensets(names, max_size=5)),
    )
