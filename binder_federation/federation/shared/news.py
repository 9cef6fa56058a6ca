"""Messages of the bus as entries of two streams, and back.

An entry has one field: the replica that wrote it (8 bytes), then messages, each a byte
for its topic, four for its length, and its body. Many messages share an entry, because
an entry costs more than a small message does.
"""

import struct
from collections.abc import Iterable, Iterator

from binder_federation.federation.shared.bus import Topic

FIELD = b"m"
MOST_ENTRY_BYTES = 16_384

_HEAD = struct.Struct(">BI")
_TOPICS = (Topic.FACTS, Topic.LEASE, Topic.DECISION, Topic.REPORT, Topic.VOTE, Topic.STEERING)
_CODES = {topic: code for code, topic in enumerate(_TOPICS)}
_SENDER_BYTES = 8

SOON_TOLD_AGAIN = frozenset({Topic.REPORT, Topic.VOTE, Topic.STEERING})
"""Whoever misses one of these has it, or the next, in seconds: they go into the short stream."""


def entries(replica_id: str, messages: Iterable[tuple[Topic, bytes]]) -> Iterator[bytes]:
    """The messages in order, packed into as few entries as their size allows."""
    sender = bytes.fromhex(replica_id)
    parts, size = [sender], _SENDER_BYTES
    for topic, body in messages:
        if size > _SENDER_BYTES and size + len(body) > MOST_ENTRY_BYTES:
            yield b"".join(parts)
            parts, size = [sender], _SENDER_BYTES
        parts += (_HEAD.pack(_CODES[topic], len(body)), body)
        size += _HEAD.size + len(body)
    if size > _SENDER_BYTES:
        yield b"".join(parts)


def sender_of(entry: bytes) -> str:
    """The replica that wrote the entry."""
    return entry[:_SENDER_BYTES].hex()


def messages_of(entry: bytes) -> Iterator[tuple[Topic, bytes]]:
    """The messages in an entry. Raises `ValueError` for one that is none of ours."""
    at = _SENDER_BYTES
    while at < len(entry):
        if at + _HEAD.size > len(entry):
            raise ValueError("an entry of the stream is cut short")
        code, length = _HEAD.unpack_from(entry, at)
        at += _HEAD.size
        if code >= len(_TOPICS) or at + length > len(entry):
            raise ValueError("an entry of the stream cannot be read")
        yield _TOPICS[code], entry[at : at + length]
        at += length
