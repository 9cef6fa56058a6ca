"""Quotas of repositories, and counts that sums are made of."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.federation.core.quotas import (
    Limits,
    QuotaRules,
    RepositoryRule,
    SessionTally,
)

NOW = 1000.0
REPOSITORIES = ["gh/school/a", "gh/school/b", "gh/other/a", "gl/school/a"]


def rule(pattern: str, sessions: int, **more: object) -> RepositoryRule:
    return RepositoryRule(re.compile(pattern), sessions, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ((), Limits(50, None, -1)),
        ((rule("gh/school/.*", 200),), Limits(200, None, -1)),
        ((rule("gh/school/.*", 200), rule("gh/school/a", 3)), Limits(3, None, -1)),
        ((rule("gh/school/a", 3), rule("gh/.*", 80)), Limits(80, None, -1)),
        ((rule("gh/school", 3),), Limits(50, None, -1)),
        ((rule("gh/school/.*", 9, is_sum=True),), Limits(50, 9, 0)),
        (
            (rule("gh/.*", 9, is_sum=True), rule("gh/s.*", 7, is_sum=True), rule("gh/.*", 4)),
            Limits(4, 7, 1),
        ),
        ((rule("gh/.*", 9, begins_at=NOW + 1),), Limits(50, None, -1)),
        ((rule("gh/.*", 9, begins_at=NOW, ends_at=NOW + 1),), Limits(9, None, -1)),
        ((rule("gh/.*", 9, ends_at=NOW),), Limits(50, None, -1)),
        ((rule("gh/school/a", 0),), Limits(0, None, -1)),
    ],
)
def test_the_last_rule_that_holds(rules: tuple[RepositoryRule, ...], expected: Limits) -> None:
    tally = SessionTally(QuotaRules(sessions_per_repository=50, repositories=rules))
    assert tally.limits("gh/school/a", now=NOW) == expected


@given(
    changes=st.lists(st.tuples(st.sampled_from(REPOSITORIES), st.integers(1, 5)), max_size=30),
    swap_at=st.integers(0, 30),
)
def test_sums_are_the_sums_of_their_repositories(
    changes: list[tuple[str, int]], swap_at: int
) -> None:
    rules = QuotaRules(repositories=(rule("gh/.*", 1, is_sum=True), rule(".*/school/.*", 1)))
    tally = SessionTally(QuotaRules())
    for index, (repository, change) in enumerate(changes):
        if index == swap_at:
            tally.use(rules)
        tally.add(repository, change)
        if index % 3 == 2:
            tally.add(repository, -change)
    tally.use(rules)
    of_gh = sum(tally.of(name) for name in REPOSITORIES if name.startswith("gh/"))
    of_school = sum(tally.of(name) for name in REPOSITORIES if "/school/" in name)
    assert (tally.of_group(0), tally.of_group(1)) == (of_gh, of_school)
