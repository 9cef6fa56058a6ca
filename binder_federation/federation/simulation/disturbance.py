"""What a lost or a new member changes, against the same run without it.

Images that a lost member had launches of have to move. A launch of another image has moved
without need when it becomes ready at a member where that image would not have been. (Where
several hold an image, which of them takes a launch is a matter of the moment.) Builds are
counted over six hours from the event on, or while the loss lasts when that is longer.
"""

from bisect import bisect_left
from dataclasses import asdict, dataclass

from binder_federation.federation.simulation.plan import Plan
from binder_federation.federation.simulation.run import PolicyName, Run
from binder_federation.federation.simulation.tally import HOUR_SECONDS, Tally
from binder_federation.federation.simulation.world import World

WATCH_HOURS = 6


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One event in one run."""

    policy: PolicyName
    seed: int
    member: str
    kind: str
    """`lost` or `joined`."""
    launches: int
    """That came while the member was lost, or in the first hours of a new one."""
    held: int
    """Of them, launches of images that the lost member had."""
    moved: int
    """Of the others, those that became ready where their image would not have been."""
    builds: int
    """In the hours from the event on."""
    builds_without: int
    """In the same hours, had it not happened."""

    @property
    def moved_share(self) -> float:
        """Of the launches that the member did not hold."""
        return self.moved / max(1, self.launches - self.held)

    @property
    def more_builds_share(self) -> float:
        """Further builds for each that there would have been."""
        return (self.builds - self.builds_without) / max(1, self.builds_without)

    def to_json(self) -> dict[str, object]:
        """All of it, with what follows from it."""
        return asdict(self) | {
            "moved_share": self.moved_share,
            "more_builds_share": self.more_builds_share,
        }


def compare(plan: Plan, run: Run, without: Run, world: World) -> list[Disturbance]:
    """Each of the plan's events, against the run `without` any."""
    members = {name: index for index, name in enumerate(plan.names)}
    found = []
    for loss in plan.losses:
        index = members[loss.member]
        held = _images_of(index, without.tally, world, until=loss.until)
        span = (loss.at, loss.until)
        found.append(_compare(loss.member, "lost", run, without, world, span=span, held=held))
    for joining in plan.joinings:
        span = (joining.at, joining.at + WATCH_HOURS * HOUR_SECONDS)
        found.append(_compare(joining.member, "joined", run, without, world, span=span, held=set()))
    return found


def _compare(
    member: str,
    kind: str,
    run: Run,
    without: Run,
    world: World,
    *,
    span: tuple[float, float],
    held: set[int],
) -> Disturbance:
    at, until = span
    during = range(bisect_left(world.at, at), bisect_left(world.at, until))
    others = [number for number in during if world.image[number] not in held]
    places = _places_of(without.tally, world, until=until)
    here = run.tally.placed
    watched = (at, max(until, at + WATCH_HOURS * HOUR_SECONDS))
    return Disturbance(
        policy=run.policy,
        seed=run.seed,
        member=member,
        kind=kind,
        launches=len(during),
        held=len(during) - len(others),
        moved=sum(1 for number in others if (world.image[number], here[number]) not in places),
        builds=_builds(run.tally, watched),
        builds_without=_builds(without.tally, watched),
    )


def _places_of(tally: Tally, world: World, *, until: float) -> set[tuple[int, int]]:
    """Every image with each member that had launches of it."""
    end = bisect_left(world.at, until)
    return set(zip(world.image[:end], tally.placed[:end], strict=True))


def _images_of(member: int, tally: Tally, world: World, *, until: float) -> set[int]:
    end = bisect_left(world.at, until)
    placed = zip(tally.placed[:end], world.image[:end], strict=True)
    return {image for index, image in placed if index == member}


def _builds(tally: Tally, span: tuple[float, float]) -> int:
    return sum(1 for at in tally.builds_at if span[0] <= at < span[1])
