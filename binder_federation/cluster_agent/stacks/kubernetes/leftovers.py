"""Which pods of users nobody owns, and which are stuck. Pure.

A server's pod that the hub knows no server for is nobody's: the hub failed half way, or lost
its memory. It goes when it was unknown twice, with some time between, for the hub's list
and the cluster's are not read in the same moment. (mybinder.org, 2018-07-08: a hub that
stopped watching left pods without users until the cluster was full.)
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.stacks.kubernetes.labels import (
    SERVER_ANNOTATION,
    USER_ANNOTATION,
)
from binder_federation.cluster_agent.stacks.kubernetes.pods import (
    Json,
    deleted_at,
    is_being_deleted,
    made_at,
    phase_of,
    uid_of,
)
from binder_federation.config.stacks.kubernetes import KubernetesStackSettings

YOUNG_SECONDS = 60.0
"""A pod this young may be one whose user the hub's list does not show yet."""
MOST_PER_PASS = 100


@dataclass(frozen=True, slots=True)
class Leftovers:
    """What to do about users' pods."""

    orphans: Sequence[Json]
    """To delete."""
    unknown: frozenset[str]
    """Uids of pods without a user, for the next pass."""
    stuck: Sequence[Json]
    """Pending or Terminating for too long."""
    forgotten: Sequence[Json]
    """Terminating for so long that the cluster is to forget them."""


def choose_leftovers(
    pods: Sequence[Json],
    *,
    known_servers: Collection[ServerName] | None,
    unknown_before: Collection[str],
    settings: KubernetesStackSettings,
    now: float,
) -> Leftovers:
    """Of all the member's servers' pods at `now` (seconds since the epoch).

    `known_servers` None: the hub does not tell. Then nothing is unknown, and what was is kept.
    """
    staying = [pod for pod in pods if not is_being_deleted(pod)]
    going = [pod for pod in pods if is_being_deleted(pod)]
    orphans = [] if known_servers is None else _without_server(staying, known_servers, now)
    stuck = [pod for pod in staying if _waits_too_long(pod, settings, now)]
    stuck += [pod for pod in going if now - deleted_at(pod) > settings.stuck_after_seconds]
    force_after = settings.force_delete_after_seconds
    return Leftovers(
        orphans=[pod for pod in orphans if uid_of(pod) in unknown_before][:MOST_PER_PASS],
        unknown=(
            frozenset(unknown_before)
            if known_servers is None
            else frozenset(uid_of(pod) for pod in orphans)
        ),
        stuck=stuck,
        forgotten=[
            pod for pod in going if force_after is not None and now - deleted_at(pod) > force_after
        ][:MOST_PER_PASS],
    )


def server_of(pod: Json) -> ServerName:
    """The hub's server that it is."""
    annotations = pod["metadata"].get("annotations") or {}
    return ServerName(
        str(annotations.get(USER_ANNOTATION, "")), str(annotations.get(SERVER_ANNOTATION, ""))
    )


def _without_server(pods: Sequence[Json], known: Collection[ServerName], now: float) -> list[Json]:
    return [
        pod for pod in pods if server_of(pod) not in known and now - made_at(pod) > YOUNG_SECONDS
    ]


def _waits_too_long(pod: Json, settings: KubernetesStackSettings, now: float) -> bool:
    return phase_of(pod) == "Pending" and now - made_at(pod) > settings.stuck_after_seconds
