"""Alternating rounds: A B A B …, so that a machine's moods hit both alike."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Generic, TypeVar

from benchmarks.rows import Row

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

    def row(
        self,
        name: str,
        figure: Callable[[T], float],
        unit: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> Row:
        """The figure beside the yardstick's, with the bound of their ratio, if there is one."""
        ratio = self.ratio(figure)
        target, holds = "", None
        if at_least is not None:
            target, holds = f"ratio >= {at_least:g}", ratio >= at_least
        elif at_most is not None:
            target, holds = f"ratio <= {at_most:g}", ratio <= at_most
        return Row(name, self.ours(figure), unit, self.yardstick(figure), ratio, target, holds)


def percentile(values: Sequence[float], share: float) -> float:
    """The value that `share` of all are not above."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
