"""Alternating rounds: A B A B …, so that a machine's moods hit both alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Pairs(Generic[T]):
    """What was measured, round by round: ours and the yardstick's."""

    pairs: Sequence[tuple[T, T]]

    def ours(self, figure: Callable[[T], float]) -> float:
        """The median of a figure of ours."""
        return median(figure(one) for one, _ in self.pairs)

    def yardstick(self, figure: Callable[[T], float]) -> float:
        """The median of the yardstick's."""
        return median(figure(other) for _, other in self.pairs)

    def ratio(self, figure: Callable[[T], float]) -> float:
        """The median of the rounds' ratios, ours by the yardstick's."""
        return median(figure(one) / figure(other) for one, other in self.pairs)


def alternate(ours: Callable[[], T], yardstick: Callable[[], T], *, rounds: int) -> Pairs[T]:
    """Measure both `rounds` times in turn."""
    return Pairs([(ours(), yardstick()) for _ in range(rounds)])


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
