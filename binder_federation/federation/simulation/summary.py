"""What runs came to: numbers for tables, JSON and plots. They can be sent between processes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from binder_federation.federation.simulation.run import PolicyName, Run
from binder_federation.federation.simulation.tally import HOUR_SECONDS, NOT_READY, Loss
from binder_federation.federation.simulation.world import World


@dataclass(frozen=True, slots=True)
class Summary:
    """One policy in one world, after the warm-up. `_seconds` are per launch."""

    policy: PolicyName
    seed: int
    launches: int
    mean_seconds: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    bound_seconds: float
    """The lower bound's mean, over the launches that this policy did not refuse."""
    builds: int
    compulsory_builds: int
    """Images that were launched for the first time."""
    duplicate_builds: int
    """Copies among them."""
    copies: int
    pulls: int
    refusals: int
    refusals_with_room: int
    """Refused although some member had room."""
    failovers: int
    p95_spread: float
    """Of the greatest used share, as a multiple of the mean one, over samples in time."""
    decisions_per_second: float
    """Of processor time, with the whole simulation around them."""
    lost_seconds: dict[str, float]
    """Seconds above the bound, by what took them; together they are `avoidable_seconds`."""
    duplicate_reasons: dict[str, int]

    @property
    def avoidable_seconds(self) -> float:
        """What the mean is above the lower bound."""
        return self.mean_seconds - self.bound_seconds

    @property
    def duplicate_share(self) -> float:
        """Duplicate builds for each compulsory one."""
        return self.duplicate_builds / max(1, self.compulsory_builds)

    @property
    def refusal_share(self) -> float:
        """Of the launches."""
        return self.refusals / max(1, self.launches)

    def to_json(self) -> dict[str, object]:
        """All of it, with what follows from it."""
        return asdict(self) | {
            "avoidable_seconds": self.avoidable_seconds,
            "duplicate_share": self.duplicate_share,
            "refusal_share": self.refusal_share,
        }


@dataclass(frozen=True, slots=True)
class Hours:
    """One policy over time: an entry for each hour from the trace's beginning on."""

    policy: PolicyName
    seed: int
    ready_seconds: tuple[float | None, ...]
    """The mean time to ready of launches that came in this hour."""
    builds: tuple[int, ...]
    mean_used: tuple[float | None, ...]
    most_used: tuple[float | None, ...]


def summarise(run: Run, world: World, bound: Sequence[float]) -> Summary:
    """The numbers of one run."""
    tally = run.tally
    counted = [number for number, at in enumerate(world.at) if at >= tally.from_seconds]
    ready = [number for number in counted if tally.seconds[number] != NOT_READY]
    seconds = sorted(tally.seconds[number] for number in ready)
    before = set(world.image[: counted[0]]) if counted else set()
    counts = tally.counts
    return Summary(
        policy=run.policy,
        seed=run.seed,
        launches=len(counted),
        mean_seconds=fmean(seconds) if seconds else 0.0,
        p50_seconds=percentile(seconds, 0.50),
        p95_seconds=percentile(seconds, 0.95),
        p99_seconds=percentile(seconds, 0.99),
        bound_seconds=fmean(world.spawn[number] + bound[number] for number in ready)
        if ready
        else 0.0,
        builds=counts["builds"],
        compulsory_builds=len({world.image[number] for number in counted} - before),
        duplicate_builds=counts["duplicates"],
        copies=counts["copies"],
        pulls=counts["pulls"],
        refusals=counts["refusals"],
        refusals_with_room=counts["refusals_with_room"],
        failovers=counts["failovers"],
        p95_spread=percentile(sorted(tally.spread), 0.95),
        decisions_per_second=len(world) / max(run.cpu_seconds, 1e-9),
        lost_seconds={loss.value: tally.lost_seconds[loss] / max(1, len(ready)) for loss in Loss},
        duplicate_reasons=dict(tally.duplicate_reasons),
    )


def summarise_hours(run: Run, world: World) -> Hours:
    """The same run over time, the warm-up too."""
    hours = range(int(world.seconds // HOUR_SECONDS) + 1)
    sums, counts = [0.0] * len(hours), [0] * len(hours)
    for at, seconds in zip(world.at, run.tally.seconds, strict=True):
        if seconds != NOT_READY:
            hour = int(at // HOUR_SECONDS)
            sums[hour] += seconds
            counts[hour] += 1
    builds = Counter(min(int(at // HOUR_SECONDS), len(hours) - 1) for at in run.tally.builds_at)
    shares: list[list[tuple[float, float]]] = [[] for _ in hours]
    for at, mean, most in run.tally.samples:
        shares[min(int(at // HOUR_SECONDS), len(hours) - 1)].append((mean, most))
    return Hours(
        policy=run.policy,
        seed=run.seed,
        ready_seconds=tuple(
            total / count if count else None for total, count in zip(sums, counts, strict=True)
        ),
        builds=tuple(builds[hour] for hour in hours),
        mean_used=tuple(fmean(mean for mean, _ in each) if each else None for each in shares),
        most_used=tuple(max(most for _, most in each) if each else None for each in shares),
    )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which that share of the values is; 0 of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def average(summaries: Sequence[Summary]) -> dict[str, float]:
    """The mean over seeds of every number, by name."""
    names = [name for name, value in summaries[0].to_json().items() if type(value) in (int, float)]
    return {name: fmean(getattr(summary, name) for summary in summaries) for name in names}
