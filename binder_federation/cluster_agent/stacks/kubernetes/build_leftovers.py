"""Which pods of builds nobody needs any more. Pure.

A build that goes on without a watcher (its agent was killed) is left to its end: the next
launch finds the image. The deadline that each pod has ends it; what the cluster did not
end by then, or never began, is given up.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from binder_federation.cluster_agent.stacks.kubernetes.pods import (
    Json,
    deadline_of,
    deleted_at,
    ended_at,
    has_ended,
    has_started,
    is_being_deleted,
    made_at,
    phase_of,
)
from binder_federation.config.stacks.kubernetes import KubernetesStackSettings

SUCCEEDED_SECONDS = 60.0
"""Its agent deletes it at once; this is for one whose agent is gone."""
_SPARE_SECONDS = 120.0
"""Whoever watches a pod gives it up first, and knows better why."""


@dataclass(frozen=True, slots=True)
class BuildLeftovers:
    """What to do about them."""

    done: Sequence[Json]
    """Ended, and kept long enough."""
    given_up: Sequence[Json]
    """They never began, or never end."""
    stuck: int
    """How many are given up, or were deleted and do not go."""


def choose_leftovers(
    pods: Sequence[Json], *, settings: KubernetesStackSettings, now: float
) -> BuildLeftovers:
    """Of all the member's build pods, those to delete at `now` (seconds since the epoch)."""
    staying = [pod for pod in pods if not is_being_deleted(pod)]
    given_up = [pod for pod in staying if _is_stuck(pod, settings, now)]
    lingering = [
        pod
        for pod in pods
        if is_being_deleted(pod) and now - deleted_at(pod) > settings.stuck_after_seconds
    ]
    return BuildLeftovers(
        done=[pod for pod in staying if has_ended(pod) and _is_old(pod, settings, now)],
        given_up=given_up,
        stuck=len(given_up) + len(lingering),
    )


def _is_old(pod: Json, settings: KubernetesStackSettings, now: float) -> bool:
    kept = SUCCEEDED_SECONDS if phase_of(pod) == "Succeeded" else settings.build.kept_seconds
    return now - ended_at(pod) > kept


def _is_stuck(pod: Json, settings: KubernetesStackSettings, now: float) -> bool:
    if has_ended(pod):
        return False
    if not has_started(pod):
        return now - made_at(pod) > settings.build.starting_seconds + _SPARE_SECONDS
    deadline = deadline_of(pod)
    return deadline is not None and now > deadline + _SPARE_SECONDS
