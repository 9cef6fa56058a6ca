"""How large a run is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of the benchmarks, as the targets name them."""

    rounds: int = 7
    round_seconds: float = 3.0
    warm_up_seconds: float = 3.0
    repositories: int = 5_000
    facts: int = 1_000_000
    decisions: int = 4_000
    """In one round, for each size of the fleet."""
    streams: int = 2_000
    stream_seconds: float = 30.0
    redis_images: int = 1_000_000
    trace_days: float = 14.0


QUICK = Sizes(
    rounds=3,
    round_seconds=1.0,
    warm_up_seconds=1.5,
    facts=60_000,
    decisions=1_000,
    streams=200,
    stream_seconds=8.0,
    redis_images=20_000,
    trace_days=1.0,
)
