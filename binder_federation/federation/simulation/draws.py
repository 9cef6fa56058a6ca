"""Random numbers that belong to things, not to the order in which they are asked for.

Whatever a policy does, the same image has the same size and the same launch the same
session: each is drawn from the seed and the thing's own name.
"""

from hashlib import blake2b
from math import log
from random import Random


def rng_for(seed: int, *names: object) -> Random:
    """A generator of the thing that `names` name, in the world of `seed`."""
    text = "\0".join(map(str, (seed, *names)))
    digest = blake2b(text.encode(), digest_size=8).digest()
    return Random(int.from_bytes(digest, "big"))  # noqa: S311 - a simulation, no secret


def lognormal(rng: Random, median: float, spread: float) -> float:
    """A lognormal value; `spread` is the standard deviation of its logarithm."""
    return rng.lognormvariate(log(median), spread)
