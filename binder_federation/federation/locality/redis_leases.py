"""Build leases that replicas agree on: whoever sets the key first.

What is known here answers without a round trip; the other replicas are told on the bus.
A lease whose key could not be set in time is still given, to us alone.
"""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, cast

from redis.asyncio import Redis

from binder_federation.binder.spec import ImageKey
from binder_federation.federation.locality.contract import LEASE_SECONDS, Lease
from binder_federation.federation.locality.local_leases import LocalLeases
from binder_federation.federation.shared.bus import Bus, Topic
from binder_federation.federation.shared.connection import RedisConnection, RedisUnavailable
from binder_federation.federation.shared.outbox import Outbox
from binder_federation.runtime.tasks import BackgroundTasks

# Times of leases are those of the caller's clock; Redis' own only clears them away.
_TAKE = """
local held = redis.call('GET', KEYS[1])
if held then
  local expires_at = tonumber(string.match(held, '^%S+ %S+ (%S+)'))
  if expires_at and expires_at > tonumber(ARGV[2]) then return held end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
return ARGV[1]
"""
_RELEASE = """
local held = redis.call('GET', KEYS[1])
if held and string.match(held, '^%S+') == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""
MOST_LEASE_BYTES = 300
MOST_TIME = 1e11
_TAKEN, _RELEASED = b"+", b"-"


class RedisLeases:
    """Leases of all replicas."""

    def __init__(
        self,
        *,
        connection: RedisConnection,
        bus: Bus,
        tasks: BackgroundTasks,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._connection = connection
        self._keys = connection.keys
        self._bus = bus
        self._tasks = tasks
        self._lease_seconds = lease_seconds
        self._local = LocalLeases()
        self._takes: dict[str, asyncio.Task[Lease]] = {}
        self._releases: Outbox[str, str] = Outbox(
            connection=connection, send=self._send_releases, keep=lambda _: True
        )
        bus.subscribe(Topic.LEASE, self._hear)

    def start(self) -> None:
        """Begin to send what could not be sent at once."""
        self._tasks.start(self._releases.run(), name="redis lease outbox")

    def get(self, image_key: str, *, now: float) -> Lease | None:
        """The lease that holds, as far as it is known here."""
        return self._local.get(image_key, now=now)

    async def take(self, image_key: ImageKey, member: str, *, now: float) -> Lease:
        """A new lease for `member`, or the one that holds. Waits 25 ms at most."""
        held = self._local.get(image_key, now=now)
        if held is not None:
            return held
        # No await between looking for a take under way and putting one there.
        task = self._takes.get(image_key)
        if task is None:
            lease = Lease(image_key, member, since=now, expires_at=now + self._lease_seconds)
            task = self._tasks.start(self._agree(lease), name="redis lease")
            self._takes[image_key] = task
            task.add_done_callback(lambda _: self._takes.pop(image_key, None))
        return await asyncio.shield(task)

    async def release(self, image_key: str, member: str) -> None:
        """The member's build ended. Waits 25 ms at most."""
        if task := self._takes.get(image_key):
            await asyncio.shield(task)
        if not self._local.drop(image_key, member):
            return
        self._bus.publish(Topic.LEASE, _RELEASED + f"{image_key} {member}".encode())
        try:
            await self._connection.call(
                "lease", lambda client: self._release(client, image_key, member)
            )
        except RedisUnavailable:
            self._releases.put(image_key, member)

    async def release_all(self, member: str) -> None:
        """The member builds nothing."""
        for lease in self._local.of_member(member):
            await self.release(lease.image_key, member)

    async def load(self) -> None:
        """Learn the leases that Redis has. Raises `RedisUnavailable`."""
        found = await self._connection.call_in_background("load", self._read_all)
        for name, value in found.items():
            key = self._connection.decoded("lease", partial(self._keys.image_key_of_lease, name))
            if key is not None:
                self.learn(key, value)

    async def retake_all(self, *, now: float) -> None:
        """Write all that hold to Redis, which has lost them. Raises `RedisUnavailable`."""
        leases = list(self._local.held(now=now))
        await self._connection.call_in_background(
            "lease", lambda client: self._write_all(client, leases, now)
        )

    def learn(self, image_key: str, value: bytes) -> None:
        """Redis has this lease."""
        lease = self._connection.decoded("lease", partial(_lease, image_key, value))
        if lease is not None:
            self._local.put_earlier(lease)

    async def _agree(self, lease: Lease) -> Lease:
        try:
            value = await self._connection.call(
                "lease", lambda client: self._take(client, lease, lease.since)
            )
        except RedisUnavailable:
            agreed = lease
        else:
            held = self._connection.decoded("lease", partial(_lease, lease.image_key, value))
            agreed = held or lease
        self._local.put(agreed)
        if agreed == lease:
            told = f"{lease.image_key} ".encode() + _value(lease)
            self._bus.publish(Topic.LEASE, _TAKEN + told)
        return agreed

    async def _take(self, client: "Redis", lease: Lease, now: float) -> bytes:
        arguments = (_value(lease), repr(now), self._milliseconds(lease, now))
        name = self._keys.lease(lease.image_key)
        return bytes(await cast(Any, client.eval(_TAKE, 1, name, *arguments)))

    async def _release(self, client: "Redis", image_key: str, member: str) -> None:
        await cast(Any, client.eval(_RELEASE, 1, self._keys.lease(image_key), member))

    async def _send_releases(self, batch: Mapping[str, str]) -> None:
        for image_key, member in batch.items():
            await self._connection.call_in_background(
                "lease", partial(self._release, image_key=image_key, member=member)
            )

    async def _write_all(self, client: "Redis", leases: list[Lease], now: float) -> None:
        pipeline = client.pipeline(transaction=False)
        for lease in leases:
            name = self._keys.lease(lease.image_key)
            pipeline.set(name, _value(lease), px=self._milliseconds(lease, now), nx=True)
        await self._connection.execute("lease", pipeline)

    async def _read_all(self, client: "Redis") -> dict[bytes, bytes]:
        pattern = self._keys.leases
        names: list[Any] = [name async for name in client.scan_iter(match=pattern, count=1000)]
        values: list[Any] = await client.mget(names) if names else []
        return {name: value for name, value in zip(names, values, strict=True) if value}

    def _hear(self, body: bytes) -> None:
        kind, image_key, rest = body[:1], body[1:33].decode(), body[34:]
        if kind == _TAKEN:
            self.learn(image_key, rest)
        elif kind == _RELEASED:
            self._local.drop(image_key, rest.decode())

    def _milliseconds(self, lease: Lease, now: float) -> int:
        return max(1, int((lease.expires_at - now) * 1000))


def _value(lease: Lease) -> bytes:
    return f"{lease.member} {lease.since!r} {lease.expires_at!r}".encode()


def _lease(image_key: str, value: bytes) -> Lease:
    member, since, expires_at = value[:MOST_LEASE_BYTES].decode().split()
    times = {"since": float(since), "expires_at": float(expires_at)}
    if not all(0.0 <= each < MOST_TIME for each in times.values()):
        raise ValueError("a lease has times of another form")
    return Lease(ImageKey(image_key), member, **times)
