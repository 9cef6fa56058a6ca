"""Facts in few bytes, the same in memory, in Redis and in news.

A fact is 32 bits: tier (2 bits), size on a log scale (11 bits: 64 steps per doubling
from 1 KiB, so within 0.6 %; 0 is unknown), and the day it was last seen (16 bits, since
1970). Nothing is ever 0, so 0 stands for no fact. An image key is its 16 raw bytes, a
repository 8 bytes of a hash of its affinity key: two of 10 million share one with a
chance of 3 in a million, and the cost would be one wrong hint.
"""

import math
import struct
from hashlib import blake2b

from binder_federation.binder.messages import Tier
from binder_federation.federation.locality.contract import DAY_SECONDS, Held
from binder_federation.federation.shared.keys import BUCKET_BITS

FACT = struct.Struct(">I")
DAY = struct.Struct(">H")

_TIERS = tuple(Tier)
_TIER_CODES = {tier: code for code, tier in enumerate(_TIERS)}
_STEPS = 64
_LEAST_OCTAVE = 10
_MOST_SIZE_CODE = 0x7FF
_DAY_MASK = 0xFFFF

HEAD_BYTES = 2
"""The bytes of a key that its bucket's number tells (it tells two bits more)."""


def pack_fact(tier: Tier, size_bytes: int, day: int) -> int:
    """A member's copy of an image as an integer."""
    return _TIER_CODES[tier] << 27 | _size_code(size_bytes) << 16 | day


def unpack_fact(value: int) -> Held:
    """A member's copy of an image. `last_seen` is the beginning of that day."""
    tier = _TIERS[min(value >> 27, len(_TIERS) - 1)]
    return Held(tier, _size_bytes(value >> 16 & _MOST_SIZE_CODE), day_of(value) * DAY_SECONDS)


def with_known_size(value: int, before: int) -> int:
    """`value`, with the size of `before` when it has none of its own."""
    if value >> 16 & _MOST_SIZE_CODE:
        return value
    return value | before & (_MOST_SIZE_CODE << 16)


def day_of(value: int) -> int:
    """The day a fact was last seen, in days since 1970."""
    return value & _DAY_MASK


def without_day(value: int) -> int:
    """The fact but for the day."""
    return value & ~_DAY_MASK


def day_at(now: float) -> int:
    """The day of a time in seconds since 1970."""
    return int(now // DAY_SECONDS)


def pack_repository(affinity_key: str) -> bytes:
    """8 bytes that name a repository."""
    return blake2b(affinity_key.encode(), digest_size=8).digest()


def bucket_of(key: bytes) -> int:
    """The bucket that a key (of an image, of a repository) is in: its first bits."""
    return int.from_bytes(key[:3], "big") >> (24 - BUCKET_BITS)


def field_of(key: bytes, member: str) -> bytes:
    """The name of a fact within its bucket."""
    return key[HEAD_BYTES:] + member.encode()


def key_head(bucket: int) -> bytes:
    """What the keys in a bucket begin with, which their fields leave out."""
    return (bucket >> (BUCKET_BITS - 16)).to_bytes(2, "big")


def _size_code(size_bytes: int) -> int:
    if size_bytes <= 0:
        return 0
    steps = round((math.log2(size_bytes) - _LEAST_OCTAVE) * _STEPS) + 1
    return max(1, min(steps, _MOST_SIZE_CODE))


def _size_bytes(code: int) -> int:
    return round(2 ** (_LEAST_OCTAVE + (code - 1) / _STEPS)) if code else 0
