"""Which pods of users go, and which are stuck."""

from datetime import UTC, datetime
from typing import Any

import pytest

from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.stacks.kubernetes.leftovers import (
    MOST_PER_PASS,
    Leftovers,
    choose_leftovers,
)
from binder_federation.cluster_agent.stacks.kubernetes.pods import name_of
from binder_federation.config.stacks.kubernetes import KubernetesStackSettings
from tests.unit.agent.kubernetes.launching import Json, server_pod

T0 = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
DELETED = "2026-01-01T00:00:00Z"


def choose(
    pods: list[Json],
    *,
    known: frozenset[ServerName] | None = frozenset(),
    before: frozenset[str] = frozenset(),
    after_seconds: float = 120.0,
    **settings: Any,
) -> Leftovers:
    return choose_leftovers(
        pods,
        known_servers=known,
        unknown_before=before,
        settings=KubernetesStackSettings(**settings),
        now=T0 + after_seconds,
    )


def test_2018_07_08_pods_without_users_are_gone_after_two_more_passes() -> None:
    pods = [server_pod(f"p{number}", user=f"u{number}") for number in range(200)]
    left, before = pods, frozenset[str]()
    deleted = []
    for _ in range(3):
        found = choose(left, before=before)
        deleted.append(len(found.orphans))
        left, before = [pod for pod in left if pod not in found.orphans], found.unknown
    assert deleted == [0, MOST_PER_PASS, MOST_PER_PASS]


def test_a_pod_whose_user_is_known_stays() -> None:
    pods = [server_pod("p1", user="ada"), server_pod("p2", user="bob")]
    found = choose(
        pods, known=frozenset({ServerName("ada")}), before=frozenset({"uid-of-p1", "uid-of-p2"})
    )
    assert [name_of(pod) for pod in found.orphans] == ["p2"]
    assert found.unknown == {"uid-of-p2"}


def test_a_young_pod_stays() -> None:
    found = choose([server_pod("p1")], before=frozenset({"uid-of-p1"}), after_seconds=60)
    assert not found.orphans
    assert not found.unknown


def test_a_pod_of_the_same_name_begins_anew() -> None:
    again = server_pod("p1")
    again["metadata"]["uid"] = "another"
    assert not choose([again], before=frozenset({"uid-of-p1"})).orphans


def test_while_the_hub_is_silent_nothing_goes_and_nothing_is_forgotten() -> None:
    found = choose([server_pod("p1")], known=None, before=frozenset({"uid-of-p1"}))
    assert not found.orphans
    assert found.unknown == {"uid-of-p1"}


def test_what_is_being_deleted_is_not_deleted_again() -> None:
    pod = server_pod("p1", deleted=DELETED)
    assert not choose([pod], before=frozenset({"uid-of-p1"})).orphans


@pytest.mark.parametrize(
    ("pod", "stuck"),
    [
        (server_pod(phase="Pending"), True),
        (server_pod(phase="Running"), False),
        (server_pod(phase="Failed"), False),
        (server_pod(deleted=DELETED), True),
    ],
)
def test_stuck_pods(pod: Json, stuck: bool) -> None:
    known = frozenset({ServerName("ada")})
    assert bool(choose([pod], known=known, after_seconds=301).stuck) is stuck
    assert not choose([pod], known=known, after_seconds=299).stuck


def test_a_pod_that_never_ends_is_forgotten_only_if_that_is_wanted() -> None:
    pod = server_pod(deleted=DELETED)
    assert not choose([pod], after_seconds=10_000).forgotten
    assert not choose([pod], after_seconds=600, force_delete_after_seconds=600).forgotten
    assert choose([pod], after_seconds=601, force_delete_after_seconds=600).forgotten
