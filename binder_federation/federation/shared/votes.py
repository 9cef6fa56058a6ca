"""What each replica holds of its members' health, told to the others.

One replica may be cut off from a member that all others reach; their votes let it
suspect itself first. A vote counts for half a minute.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import structlog

from binder_federation.federation.shared.bus import Bus, Topic
from binder_federation.federation.shared.connection import UNREADABLE, RedisConnection
from binder_federation.federation.shared.keys import VOTES_LIFETIME_SECONDS
from binder_federation.federation.shared.last_reports import read_matching
from binder_federation.federation.shared.state_outbox import StateOutbox
from binder_federation.health.state import MemberState
from binder_federation.runtime.bounded import read_json, read_time

log = structlog.get_logger(__name__)

VOTE_LIFETIME_SECONDS = 30.0


class Votes(Protocol):
    """Votes of replicas about members."""

    def publish(self, states: Mapping[str, str]) -> None:
        """What this replica holds: member → state. It replaces what it told before."""

    def votes(self, member: str, *, now: float) -> Mapping[str, str]:
        """Fresh votes of other replicas: replica → state."""


class LocalVotes:
    """With one replica there are no other votes."""

    def publish(self, states: Mapping[str, str]) -> None:
        """Nobody else is there."""

    def votes(self, member: str, *, now: float) -> Mapping[str, str]:  # noqa: ARG002
        """There are none."""
        return {}


MOST_REPLICAS = 200
MOST_MEMBERS = 5000


@dataclass(frozen=True, slots=True)
class _Ballot:
    states: Mapping[str, str]
    at: float


class RedisVotes:
    """Votes as news, and under `votes:<replica>` for replicas that start."""

    def __init__(
        self,
        *,
        connection: RedisConnection,
        bus: Bus,
        outbox: StateOutbox,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._connection = connection
        self._bus = bus
        self._outbox = outbox
        self._clock = clock
        self._ballots: dict[str, _Ballot] = {}
        bus.subscribe(Topic.VOTE, self._hear)

    def publish(self, states: Mapping[str, str]) -> None:
        """What this replica holds: member → state. It replaces what it told before."""
        replica_id = self._connection.replica_id
        body = {"replica": replica_id, "at": self._clock(), "states": dict(states)}
        told = json.dumps(body).encode()
        self._outbox.set(
            self._connection.keys.votes(replica_id), told, lifetime_seconds=VOTES_LIFETIME_SECONDS
        )
        self._bus.publish(Topic.VOTE, told)

    def votes(self, member: str, *, now: float) -> Mapping[str, str]:
        """Fresh votes of other replicas: replica → state."""
        return {
            replica: ballot.states[member]
            for replica, ballot in self._ballots.items()
            if member in ballot.states and now - ballot.at <= VOTE_LIFETIME_SECONDS
        }

    async def load(self) -> None:
        """Learn what the others told before this replica began."""
        found = await read_matching(self._connection, self._connection.keys.all_votes)
        for body in found.values():
            self._hear(body)

    def _hear(self, body: bytes) -> None:
        try:
            told = read_json(body)
            replica = str(told["replica"])[:64]
            ballot = _Ballot(_states(told["states"]), read_time(told["at"], now=self._clock()))
        except UNREADABLE as error:
            self._connection.note_unreadable("vote", error)
            return
        if replica == self._connection.replica_id:
            return
        if replica in self._ballots or len(self._ballots) < MOST_REPLICAS:
            self._ballots[replica] = ballot
        self._forget_old()

    def _forget_old(self) -> None:
        """Replicas come and go; those that have not voted for long are gone."""
        oldest = self._clock() - VOTES_LIFETIME_SECONDS
        self._ballots = {name: each for name, each in self._ballots.items() if each.at >= oldest}


def _states(told: object) -> Mapping[str, str]:
    if not isinstance(told, dict) or len(told) > MOST_MEMBERS:
        raise ValueError("a ballot has a state for each member")
    return {str(name): MemberState(state).value for name, state in told.items()}
