"""How many sessions there may be at all members together, and how many there are.

A rule is for each repository that matches it, or for all of them together; of several that
match and hold now, the last one of its kind counts. Sums are kept as counts change: asking
costs the same with one repository and with thirty thousand.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

REMEMBERED = 16_384


@dataclass(frozen=True, slots=True)
class RepositoryRule:
    """So many sessions for the repositories that match, from `begins_at` until `ends_at`."""

    pattern: re.Pattern[str]
    sessions: int
    is_sum: bool = False
    begins_at: float | None = None
    ends_at: float | None = None
    label: str = ""
    """What metrics call it."""

    def holds(self, now: float) -> bool:
        """Whether it is in force; times are seconds since 1970."""
        has_begun = self.begins_at is None or self.begins_at <= now
        return has_begun and (self.ends_at is None or now < self.ends_at)


@dataclass(frozen=True, slots=True)
class QuotaRules:
    """All rules. None: as many as the members take."""

    sessions: int | None = None
    message: str = ""
    """For visitors, in maintenance (`sessions` 0)."""
    sessions_per_repository: int | None = None
    repositories: Sequence[RepositoryRule] = field(default=())
    builds_per_repository: int | None = None

    @property
    def has_none(self) -> bool:
        """Whether sessions are not limited at all."""
        return (
            self.sessions is None and self.sessions_per_repository is None and not self.repositories
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for one repository now."""

    each: int | None
    of_sum: int | None
    group: int
    """Which rule the sum is of."""


class SessionTally:
    """Counts sessions by repository, and of the groups that sums are of."""

    def __init__(self, rules: QuotaRules) -> None:
        self._counts: Counter[str] = Counter()
        self.use(rules)

    def use(self, rules: QuotaRules) -> None:
        """Count for other rules from now on."""
        self._rules = rules
        self._matching = lru_cache(maxsize=REMEMBERED)(self._match)
        self._sums = [0] * len(rules.repositories)
        for repository, count in self._counts.items():
            self._add_to_sums(repository, count)

    def add(self, repository: str, change: int) -> None:
        """`repository` has so many sessions more, or less."""
        if not change:
            return
        count = self._counts[repository] + change
        if count:
            self._counts[repository] = count
        else:
            del self._counts[repository]
        self._add_to_sums(repository, change)

    def of(self, repository: str) -> int:
        """Its sessions."""
        return self._counts.get(repository, 0)

    def of_group(self, group: int) -> int:
        """The sessions of all that match a rule."""
        return self._sums[group]

    def most_of_rules(self) -> list[int]:
        """Of each rule, the sessions of the repository that has most of those that match."""
        most = [0] * len(self._rules.repositories)
        for repository, count in self._counts.items():
            for index in self._matching(repository):
                most[index] = max(most[index], count)
        return most

    def limits(self, repository: str, *, now: float) -> Limits:
        """What holds for `repository` now."""
        each, of_sum, group = self._rules.sessions_per_repository, None, -1
        for index in self._matching(repository):
            rule = self._rules.repositories[index]
            if not rule.holds(now):
                continue
            if rule.is_sum:
                of_sum, group = rule.sessions, index
            else:
                each = rule.sessions
        return Limits(each, of_sum, group)

    def _add_to_sums(self, repository: str, change: int) -> None:
        for index in self._matching(repository):
            self._sums[index] += change

    def _match(self, repository: str) -> tuple[int, ...]:
        rules = self._rules.repositories
        return tuple(i for i, rule in enumerate(rules) if rule.pattern.fullmatch(repository))
