"""Weighted rendezvous hashing: everybody ranks the members of a key the same way.

Each member draws a number in (0, 1) from a hash of its name and the key, and scores
`weight / -ln(draw)`; the highest score is rank one. A member that goes moves only
its own keys, and each is first for a share of keys that is its share of the weight.

Name and key are hashed with blake2b once and remembered; a pair is mixed with
splitmix64's finaliser, for at 1,000 members a hash of each pair is what a decision
spends its time on.

The formula: J. Resch, "New Hashing Algorithms for Data Storage" (SNIA, 2015), after
D. Thaler and C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates" (1998).
The mixing: G. Steele, D. Lea, C. Flood, "Fast Splittable Pseudorandom Number
Generators" (OOPSLA 2014), figure 16.
"""

from collections.abc import Container, Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b
from heapq import nlargest
from math import log

from binder_federation.federation.core.snapshot import MemberView

_MASK = 2**64 - 1


def rank_members(members: Iterable[MemberView], key: str) -> list[MemberView]:
    """`members`, best first for `key`, by their effective weight."""
    everybody = list(members)
    return rank_top(everybody, key, len(everybody))


def rank_top(
    members: Sequence[MemberView], key: str, count: int, *, without: Container[str] = ()
) -> list[MemberView]:
    """The first `count` of `members` for `key`, leaving out the names in `without`.

    Naming those is quicker than leaving them out before: what is remembered of a key
    is remembered for the fleet as a whole.
    """
    units = unit_scores(tuple([member.name for member in members]), key)
    scored = [
        (max(0.0, member.effective_weight) * unit, member.name, member)
        for member, unit in zip(members, units, strict=True)
        if member.name not in without
    ]
    # Names differ, so members themselves are never compared.
    return [member for _, _, member in nlargest(count, scored)]


def find_usual_place(members: Iterable[MemberView], key: str) -> MemberView | None:
    """The member that is first for `key` when all is well: by configured weight."""
    everybody = tuple(members)
    units = unit_scores(tuple([member.name for member in everybody]), key)
    scored = (
        (member.weight * unit, member.name, member)
        for member, unit in zip(everybody, units, strict=True)
    )
    return max(scored, default=(0.0, "", None))[2]


def score(name: str, key: str, weight: float) -> float:
    """The score of the member `name` for `key`; higher is better, 0 without weight."""
    if weight <= 0:
        return 0.0
    return weight * unit_scores((name,), key)[0]


@lru_cache(maxsize=256)
def unit_scores(names: tuple[str, ...], key: str) -> tuple[float, ...]:
    """The scores of members of weight 1, in the order of `names`."""
    place = _hash(key)
    scores = []
    for name in names:
        mixed = _hash(name) ^ place
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB & _MASK
        # 53 bits and a half: never 0 and never 1, so the logarithm is finite and not 0.
        draw = (((mixed ^ (mixed >> 31)) >> 11) + 0.5) * 2.0**-53
        scores.append(-1.0 / log(draw))
    return tuple(scores)


@lru_cache(maxsize=32_768)
def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
