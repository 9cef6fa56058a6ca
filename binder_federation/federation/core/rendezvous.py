"""Weighted rendezvous hashing: everybody ranks the members of a key the same way.

Each member draws a number in (0, 1) from a hash of its name and the key, and scores
`weight / -ln(draw)`; the highest score is rank one. A member that goes moves only
its own keys, and each is first for a share of keys that is its share of the weight.

Name and key are hashed with blake2b once and remembered; a pair is mixed by folding
their product, for at 1,000 members a hash of each pair is what a decision spends its
time on.

The formula: J. Resch, "New Hashing Algorithms for Data Storage" (SNIA, 2015), after
D. Thaler and C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates" (1998).
The mixing is wyhash's (Wang Yi, 2019): the halves of a 128-bit product, xored.
"""

from collections.abc import Collection, Iterable, Sequence
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
    members: Sequence[MemberView], key: str, count: int, *, without: Collection[str] = ()
) -> list[MemberView]:
    """The first `count` of `members` for `key`, leaving out the names in `without`.

    Naming those is quicker than leaving them out before: what is remembered of a key
    is remembered for the fleet as a whole.
    """
    units = unit_scores(tuple([member.name for member in members]), key)
    if without:
        scores = [
            -1.0 if member.name in without else member.effective_weight * unit
            for member, unit in zip(members, units, strict=True)
        ]
        count = min(count, len(members) - sum([member.name in without for member in members]))
    else:
        scores = [m.effective_weight * unit for m, unit in zip(members, units, strict=True)]
    best = nlargest(count, range(len(members)), key=lambda i: (scores[i], members[i].name))
    return [members[index] for index in best]


def find_usual_place(members: Iterable[MemberView], key: str) -> MemberView | None:
    """The member that is first for `key` when all is well: by configured weight."""
    everybody = tuple(members)
    units = unit_scores(tuple([member.name for member in everybody]), key)
    scores = [member.weight * unit for member, unit in zip(everybody, units, strict=True)]
    if not scores:
        return None
    most = max(scores)
    first = [m for m, its_score in zip(everybody, scores, strict=True) if its_score == most]
    return max(first, key=lambda member: member.name)


def score(name: str, key: str, weight: float) -> float:
    """The score of the member `name` for `key`; higher is better, 0 without weight."""
    if weight <= 0:
        return 0.0
    return weight * unit_scores((name,), key)[0]


@lru_cache(maxsize=64)
def unit_scores(names: tuple[str, ...], key: str) -> tuple[float, ...]:
    """The scores of members of weight 1, in the order of `names`."""
    place = _hash(key)
    scores = []
    for seed in _hashes(names):
        product = seed * place
        # The upper 53 bits and a half: never 0 and never 1, so the logarithm is finite, not 0.
        draw = ((((product >> 64) ^ (product & _MASK)) >> 11) + 0.5) * 2.0**-53
        scores.append(-1.0 / log(draw))
    return tuple(scores)


@lru_cache(maxsize=8)
def _hashes(names: tuple[str, ...]) -> tuple[int, ...]:
    return tuple([_hash(name) for name in names])


@lru_cache(maxsize=32_768)
def _hash(text: str) -> int:
    # Odd, so that multiplying by it loses nothing.
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") | 1
