"""What replicas tell each other of facts (`Topic.FACTS`), in bytes.

The first byte says which kind of news it is; then the member, and for changes the facts
as `packing.py` has them, 0 for one that is gone. Keys of 16 bytes are images, keys of 8
repositories.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

IMAGE_KEY_BYTES = 16
REPOSITORY_KEY_BYTES = 8

_HEAD = struct.Struct(">BBHH")
_IMAGE = struct.Struct(">16sI")
_BUILT = struct.Struct(">8sH")
_CHANGES, _WRITTEN, _RELOAD = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Changes:
    """Facts of one member that are new or gone (0)."""

    member: str
    images: Mapping[bytes, int] = field(default_factory=dict)
    built: Mapping[bytes, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """The member's whole inventory was written to Redis after a loss."""

    member: str


@dataclass(frozen=True, slots=True)
class Reload:
    """There was more to tell than news can carry: read the facts from Redis."""


FactNews = Changes | Written | Reload


def encode(news: FactNews) -> bytes:
    """The news as the body of a message. At most 65,535 facts of a kind."""
    match news:
        case Changes(member, images, built):
            name = member.encode()
            parts = [_HEAD.pack(_CHANGES, len(name), len(images), len(built)), name]
            parts += (_IMAGE.pack(key, fact) for key, fact in images.items())
            parts += (_BUILT.pack(key, day) for key, day in built.items())
            return b"".join(parts)
        case Written(member):
            name = member.encode()
            return _HEAD.pack(_WRITTEN, len(name), 0, 0) + name
        case Reload():
            return _HEAD.pack(_RELOAD, 0, 0, 0)


def decode(body: bytes) -> FactNews:
    """The news in a message's body. Raises `ValueError` or `struct.error` for none of ours."""
    kind, name_bytes, image_count, built_count = _HEAD.unpack_from(body)
    at = _HEAD.size + name_bytes
    member = body[_HEAD.size : at].decode()
    if kind == _RELOAD:
        return Reload()
    if kind == _WRITTEN:
        return Written(member)
    if kind != _CHANGES:
        raise ValueError(f"news of facts of an unknown kind: {kind}")
    built_at = at + image_count * _IMAGE.size
    if len(body) != built_at + built_count * _BUILT.size:
        raise ValueError("news of facts are cut short")
    images = dict(_pairs(_IMAGE, body[at:built_at]))
    return Changes(member, images, dict(_pairs(_BUILT, body[built_at:])))


def _pairs(pair: struct.Struct, packed: bytes) -> Iterator[tuple[bytes, int]]:
    yield from pair.iter_unpack(packed)
