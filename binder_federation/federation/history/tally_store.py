"""Where counts of launches are kept: hashes by slot of time, which all replicas add to.

Without Redis there is nothing to keep but this replica's own memory (`tallies.py`).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from binder_federation.federation.history.launch_counts import Count
from binder_federation.federation.shared.connection import RedisConnection

Slot = tuple[int, int]
"""Seconds of a slot, and its number."""


class TallyStore(Protocol):
    """Keeps counts by slot. Its calls raise `RedisUnavailable`."""

    is_shared: bool

    async def add(
        self, counts: Mapping[Slot, Mapping[Count, int]], lifetimes: Mapping[int, int]
    ) -> None:
        """Add these counts. `lifetimes` are seconds, by the seconds of a slot."""

    async def read(self, slots: Sequence[Slot]) -> dict[Slot, Counter[Count]]:
        """What the slots hold, of all replicas."""


MOST_DIGITS = 15


class MemoryTallyStore:
    """One replica alone."""

    is_shared = False

    async def add(
        self, counts: Mapping[Slot, Mapping[Count, int]], lifetimes: Mapping[int, int]
    ) -> None:
        """Nothing to do."""

    async def read(self, slots: Sequence[Slot]) -> dict[Slot, Counter[Count]]:  # noqa: ARG002
        """Nobody else counts."""
        return {}


class RedisTallyStore:
    """Fields are `<member>|<what>`; no member's name has a bar."""

    is_shared = True

    def __init__(self, *, connection: RedisConnection) -> None:
        self._connection = connection

    async def add(
        self, counts: Mapping[Slot, Mapping[Count, int]], lifetimes: Mapping[int, int]
    ) -> None:
        """In one transaction, so that a failure adds all or, as a rule, nothing."""
        keys = self._connection.keys

        async def send(client: Any) -> None:
            async with client.pipeline(transaction=True) as pipeline:
                for (seconds, number), each in counts.items():
                    name = keys.tally(seconds, number)
                    for (member, what), value in each.items():
                        pipeline.hincrby(name, f"{member}|{what}", value)
                    pipeline.expire(name, lifetimes[seconds])
                await pipeline.execute()

        await self._connection.call_in_background("tally", send)

    async def read(self, slots: Sequence[Slot]) -> dict[Slot, Counter[Count]]:
        """In one round trip."""
        keys = self._connection.keys

        async def ask(client: Any) -> list[dict[bytes, bytes]]:
            pipeline = client.pipeline(transaction=False)
            for seconds, number in slots:
                pipeline.hgetall(keys.tally(seconds, number))
            answers = await self._connection.execute("tally", pipeline)
            return [answer or {} for answer in answers]

        answers = await self._connection.call_in_background("tally", ask)
        return {slot: self._read(answer) for slot, answer in zip(slots, answers, strict=True)}

    def _read(self, answer: Mapping[bytes, bytes]) -> Counter[Count]:
        counts: Counter[Count] = Counter()
        for field, value in answer.items():
            read = self._connection.decoded("tally", partial(_count, field, value))
            if read is not None:
                counts[read[0]] = read[1]
        return counts


def _count(field: bytes, value: bytes) -> tuple[Count, int]:
    member, bar, what = field.decode().partition("|")
    if not bar or len(value) > MOST_DIGITS:
        raise ValueError("a tally's field is of another form")
    return (member, what), int(value)
