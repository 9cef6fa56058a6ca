"""Decisions as a table: a fleet and an image → who gets the launch, and why."""

from dataclasses import dataclass, field

import pytest

from binder_federation.federation.core.choose import (
    Decision,
    choose,
)
from binder_federation.federation.core.cost import LocalityTier
from binder_federation.federation.core.eligible import Refusal, explain_refusal
from binder_federation.federation.core.phrases import Reason
from binder_federation.federation.core.snapshot import Estimates, Fleet, ImageView, Load
from binder_federation.health.state import MemberState
from tests.unit.core.fleets import (
    NOW,
    SETTINGS,
    idle_fleet,
    make_fleet,
    make_image,
    make_member,
    make_rng,
)

UP, SUSPECT, DOWN = MemberState.UP, MemberState.SUSPECT, MemberState.DOWN
FULL = Load(capacity=10, running=10)
# The ranks of this repository are alpha, gamma, beta (see test_rendezvous.py).
EXAMPLE = "gh/binder-examples/requirements"


def decide(
    fleet: Fleet, image: ImageView, *, exclude: frozenset[str] = frozenset(), seed: int = 1
) -> Decision:
    rng = make_rng(seed)
    return choose(fleet, image, now=NOW, rng=rng, exclude=exclude, settings=SETTINGS)


@dataclass(frozen=True)
class Case:
    name: str
    fleet: Fleet
    image: ImageView
    member: str | None
    reason: Reason
    phrase: str
    exclude: frozenset[str] = field(default_factory=frozenset)


CASES = [
    Case(
        "a new image goes to the first rank",
        idle_fleet("alpha", "beta", "gamma"),
        make_image(EXAMPLE),
        "alpha",
        Reason.USUAL_PLACE,
        "alpha is the usual place for this repository",
    ),
    Case(
        "whoever has the image gets the launch",
        idle_fleet("alpha", "beta", "gamma"),
        make_image(EXAMPLE, node=["beta"]),
        "beta",
        Reason.HAS_IMAGE,
        "beta already has this image",
    ),
    Case(
        "a server that waits is nearer than an image, on a busier member too",
        make_fleet(make_member("alpha", used=0), make_member("beta", used=40)),
        make_image(EXAMPLE, node=["alpha", "beta"], warm={"beta": 1}),
        "beta",
        Reason.WARM_SERVER,
        "beta has a server of this image running already",
    ),
    Case(
        "a member that is nearly full does not attract by it",
        make_fleet(make_member("alpha", used=0), make_member("beta", used=80)),
        make_image(EXAMPLE, node=["alpha", "beta"], warm={"beta": 1}),
        "alpha",
        Reason.HAS_IMAGE,
        "alpha already has this image",
    ),
    Case(
        "a server waits where nobody knew of the image",
        idle_fleet("alpha", "beta", "gamma"),
        make_image(EXAMPLE, warm={"gamma": 2}),
        "gamma",
        Reason.WARM_SERVER,
        "gamma has a server of this image running already",
    ),
    Case(
        "a registry is nearer than a build",
        idle_fleet("alpha", "beta", "gamma"),
        make_image(EXAMPLE, registry=["beta"]),
        "beta",
        Reason.IN_REGISTRY,
        "beta has this image in its registry",
    ),
    Case(
        "a busy holder with room is not spared by a build elsewhere",
        make_fleet(make_member("alpha", used=0), make_member("beta", used=89)),
        make_image(EXAMPLE, node=["beta"]),
        "beta",
        Reason.HAS_IMAGE,
        "beta already has this image",
    ),
    Case(
        "whoever comes next waits for the build that is under way",
        make_fleet(make_member("alpha", used=0), make_member("beta", used=80)),
        make_image(EXAMPLE, building={"beta": 1.0}),
        "beta",
        Reason.BUILDING,
        "beta is building this image now",
    ),
    Case(
        "a holder that is nearly full does not keep others from building",
        make_fleet(make_member("alpha", used=0), make_member("beta", used=97)),
        make_image(EXAMPLE, node=["beta"]),
        "alpha",
        Reason.USUAL_PLACE,
        "alpha is the usual place for this repository",
    ),
    Case(
        "a node is nearer than a registry",
        idle_fleet("alpha", "beta", "gamma"),
        make_image(EXAMPLE, registry=["alpha"], node=["beta"]),
        "beta",
        Reason.HAS_IMAGE,
        "beta already has this image",
    ),
    Case(
        "a build under way is joined",
        idle_fleet("alpha", "beta", "gamma"),
        make_image(EXAMPLE, building={"beta": NOW - 2}),
        "beta",
        Reason.BUILDING,
        "beta is building this image now",
    ),
    Case(
        "a build is joined even where the member is busier",
        make_fleet(
            make_member("alpha", used=10), make_member("beta", used=80), make_member("gamma")
        ),
        make_image(EXAMPLE, building={"beta": NOW - 60}),
        "beta",
        Reason.BUILDING,
        "beta is building this image now",
    ),
    Case(
        "an earlier build of the repository helps",
        idle_fleet("alpha", "beta", "gamma"),
        make_image(EXAMPLE, built=["beta"]),
        "beta",
        Reason.BUILT_BEFORE,
        "beta built this repository before",
    ),
    Case(
        "an image on all members goes to the first rank",
        idle_fleet("alpha", "beta", "gamma"),
        make_image(EXAMPLE, node=["alpha", "beta", "gamma"]),
        "alpha",
        Reason.HAS_IMAGE,
        "alpha already has this image",
    ),
    Case(
        "and to the next when the first is busier",
        make_fleet(
            make_member("alpha", used=50),
            make_member("beta", used=10),
            make_member("gamma", used=10),
        ),
        make_image(EXAMPLE, node=["alpha", "beta", "gamma"]),
        "gamma",
        Reason.HAS_IMAGE,
        "gamma already has this image",
    ),
    Case(
        "a miss disregards load up to a quarter above the mean",
        make_fleet(
            make_member("alpha", used=36),
            make_member("beta", used=30),
            make_member("gamma", used=24),
        ),
        make_image(EXAMPLE),
        "alpha",
        Reason.USUAL_PLACE,
        "alpha is the usual place for this repository",
    ),
    Case(
        "but no more than that",
        make_fleet(
            make_member("alpha", used=60),
            make_member("beta", used=15),
            make_member("gamma", used=15),
        ),
        make_image(EXAMPLE),
        "gamma",
        Reason.LESS_BUSY,
        "gamma is less busy than the usual place",
    ),
    Case(
        "the usual place is full",
        make_fleet(make_member("alpha", load=FULL), make_member("beta"), make_member("gamma")),
        make_image(EXAMPLE),
        "gamma",
        Reason.USUAL_PLACE_FULL,
        "gamma has room while the usual place is full",
    ),
    Case(
        "the usual place is down",
        make_fleet(make_member("alpha", state=DOWN), make_member("beta"), make_member("gamma")),
        make_image(EXAMPLE),
        "gamma",
        Reason.USUAL_PLACE_OUT,
        "gamma stands in, as the usual place is down",
    ),
    Case(
        "the usual place is slow",
        make_fleet(
            make_member("alpha", estimates=Estimates(build_seconds=900)),
            make_member("beta", estimates=Estimates(build_seconds=100)),
            make_member("gamma"),
        ),
        make_image(EXAMPLE),
        "beta",
        Reason.QUICKEST,
        "beta is likely to be the quickest",
    ),
    Case(
        "a full holder is no holder",
        make_fleet(make_member("alpha"), make_member("beta", load=FULL), make_member("gamma")),
        make_image(EXAMPLE, node=["beta"]),
        "alpha",
        Reason.USUAL_PLACE,
        "alpha is the usual place for this repository",
    ),
    Case(
        "after a failure another takes over",
        idle_fleet("alpha", "beta", "gamma"),
        make_image(EXAMPLE),
        "gamma",
        Reason.TOOK_OVER,
        "gamma took over from alpha",
        frozenset({"alpha"}),
    ),
    Case(
        "and after two failures the last one",
        idle_fleet("alpha", "beta", "gamma"),
        make_image(EXAMPLE, node=["beta"]),
        "beta",
        Reason.TOOK_OVER,
        "beta took over from alpha and gamma",
        frozenset({"alpha", "gamma"}),
    ),
    Case(
        "in panic a well member is still better than a suspect one that has the image",
        make_fleet(
            make_member("alpha", state=SUSPECT),
            make_member("beta", state=SUSPECT),
            make_member("gamma"),
        ),
        make_image(EXAMPLE, registry=["gamma"], node=["alpha"]),
        "gamma",
        Reason.IN_REGISTRY,
        "gamma has this image in its registry",
    ),
    Case(
        "everybody is full",
        make_fleet(make_member("alpha", load=FULL), make_member("beta", load=FULL)),
        make_image(EXAMPLE),
        None,
        Reason.ALL_FULL,
        "every member is full just now",
    ),
    Case(
        "everybody was tried",
        idle_fleet("alpha", "beta"),
        make_image(EXAMPLE),
        None,
        Reason.ALL_TRIED,
        "every member was tried",
        frozenset({"alpha", "beta"}),
    ),
    Case(
        "everybody is long gone",
        make_fleet(make_member("alpha", state=DOWN, last_well_at=NOW - 5000)),
        make_image(EXAMPLE),
        None,
        Reason.NOBODY,
        "no member can take a launch just now",
    ),
    Case(
        "there are no members",
        make_fleet(),
        make_image(EXAMPLE),
        None,
        Reason.NOBODY,
        "no member can take a launch just now",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    decision = decide(case.fleet, case.image, exclude=case.exclude)
    assert (decision.member, decision.reason, decision.phrase) == (
        case.member,
        case.reason,
        case.phrase,
    ), decision.costs


def test_a_decision_explains_itself() -> None:
    fleet = make_fleet(
        make_member("alpha"),
        make_member("beta", load=FULL),
        make_member("gamma", is_compatible=False, incompatibility="it speaks protocol 9"),
        make_member("delta", state=DOWN),
        make_member("epsilon"),
    )
    decision = decide(fleet, make_image(node=["alpha"]))
    assert decision.member == "alpha"
    assert decision.runners_up == ("epsilon",)
    assert decision.chosen is decision.costs[0].cost
    assert decision.chosen is not None
    assert decision.chosen.tier is LocalityTier.NODE
    assert decision.refused == {
        "beta": Refusal.FULL,
        "gamma": Refusal.INCOMPATIBLE,
        "delta": Refusal.DOWN,
    }
    sentences = [explain_refusal(fleet.by_name[n], r) for n, r in decision.refused.items()]
    assert tuple(sentences) == (
        "beta is full: 10 of 10 sessions.",
        "gamma has a version that does not fit: it speaks protocol 9.",
        "delta is down.",
    )


def test_a_recovering_member_gets_a_tenth_of_its_new_repositories() -> None:
    fleet = make_fleet(
        make_member("alpha", state=MemberState.RECOVERING, effective_weight=0.1),
        make_member("beta"),
    )
    keys = [f"gh/owner/repository-{number}" for number in range(1000)]
    taken = sum(decide(fleet, make_image(key)).member == "alpha" for key in keys)
    assert 50 < taken < 140, taken  # 1000 · 0.1 / 1.1 = 91


def test_a_recovering_holder_is_not_given_everything_at_once() -> None:
    """Slow start counts for images that are there as well: its room grows with its weight."""
    image = make_image(node=["alpha", "beta"])
    taken = []
    for used in range(30):
        back = make_member(
            "alpha", state=MemberState.RECOVERING, weight=1.0, effective_weight=0.1, used=used
        )
        decision = decide(make_fleet(back, make_member("beta", used=50)), image)
        taken.append(decision.member)
    assert taken[0] == "alpha"
    assert "alpha" not in taken[9:], "a tenth of its 100 sessions is what it may take at first"


def test_slow_start_is_no_reason_to_build_twice() -> None:
    back = make_member(
        "alpha", state=MemberState.RECOVERING, weight=1.0, effective_weight=0.1, used=50
    )
    fleet = make_fleet(back, make_member("beta", used=0))
    assert decide(fleet, make_image(building={"alpha": NOW - 1})).member == "alpha"


def test_a_visitor_who_was_there_before_stays() -> None:
    fleet = make_fleet(make_member("alpha", used=10), make_member("beta", used=20))
    image = make_image(node=["alpha", "beta"])
    stays = choose(fleet, image, now=NOW, rng=make_rng(), prefer="beta", settings=SETTINGS)
    assert decide(fleet, image).member == "alpha"
    assert stays.member == "beta"
    assert stays.chosen is not None
    assert stays.chosen.stickiness == 5.0


def test_fifty_new_repositories_spread_over_idle_members() -> None:
    fleet = idle_fleet("alpha", "beta", "gamma")
    chosen = {decide(fleet, make_image(f"gh/owner/{number}")).member for number in range(50)}
    assert chosen == {"alpha", "beta", "gamma"}
