"""Weighted rendezvous hashing: everybody ranks the members of a key the same way.

Each member draws a number in (0, 1) from a hash of its name and the key, and scores
`weight / -ln(draw)`; the highest score is rank one. A member that goes moves only
its own keys, and each is first for a share of keys that is its share of the weight.

The formula: J. Resch, "New Hashing Algorithms for Data Storage" (SNIA, 2015), after
D. Thaler and C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates" (1998).
"""

from collections.abc import Callable, Iterable
from hashlib import blake2b
from heapq import nlargest
from math import log

from binder_federation.federation.core.snapshot import MemberView

_DRAWS = 2.0**53


def rank_members(members: Iterable[MemberView], key: str) -> list[MemberView]:
    """`members`, best first for `key`, by their effective weight."""
    return sorted(members, key=_score_for(key), reverse=True)


def rank_top(members: Iterable[MemberView], key: str, count: int) -> list[MemberView]:
    """The first `count` of `rank_members`, without ranking the rest."""
    return nlargest(count, members, key=_score_for(key))


def find_usual_place(members: Iterable[MemberView], key: str) -> MemberView | None:
    """The member that is first for `key` when all is well: by configured weight."""
    return max(
        members,
        key=lambda member: (score(member.name, key, member.weight), member.name),
        default=None,
    )


def score(name: str, key: str, weight: float) -> float:
    """The score of the member `name` for `key`; higher is better, 0 without weight."""
    if weight <= 0:
        return 0.0
    digest = blake2b(f"{name}\0{key}".encode(), digest_size=8).digest()
    # 53 bits and a half: never 0 and never 1, so the logarithm is finite and not 0.
    draw = ((int.from_bytes(digest, "big") >> 11) + 0.5) / _DRAWS
    return weight / -log(draw)


def _score_for(key: str) -> Callable[[MemberView], tuple[float, str]]:
    return lambda member: (score(member.name, key, member.effective_weight), member.name)
