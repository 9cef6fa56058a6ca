"""Which build pods are deleted, and when."""

from typing import Any

import pytest

from binder_federation.cluster_agent.stacks.kubernetes.build_leftovers import choose_leftovers
from binder_federation.cluster_agent.stacks.kubernetes.pods import seconds_of
from binder_federation.config.stacks.kubernetes import KubernetesStackSettings
from tests.unit.agent.kubernetes.build_objects import MADE, make_status

SETTINGS = KubernetesStackSettings()  # failed ones are kept 600 s, starting takes at most 300 s


@pytest.mark.parametrize(
    ("pod", "age_seconds", "expected"),
    [
        (make_status("Succeeded", exit_code=0), 30, "stays"),
        (make_status("Succeeded", exit_code=0), 90, "is done"),
        (make_status("Failed", exit_code=1), 500, "stays"),
        (make_status("Failed", exit_code=1), 700, "is done"),
        (make_status("Failed", reason="Evicted"), 700, "is done"),
        (make_status("Running", is_running=True), 3000, "stays"),
        (make_status("Running", is_running=True), 3800, "is given up"),  # its deadline: 3600 s
        (make_status(), 300, "stays"),
        (make_status(), 500, "is given up"),
        (make_status(waiting="ContainerCreating"), 500, "is given up"),
        (make_status("Running", is_running=True, is_deleted=True), 100, "stays"),
        (make_status("Running", is_running=True, is_deleted=True), 400, "is stuck"),
    ],
)
def test_each_pod_has_its_time(pod: dict[str, Any], age_seconds: float, expected: str) -> None:
    found = choose_leftovers([pod], settings=SETTINGS, now=seconds_of(MADE) + age_seconds)
    outcome = (len(found.done), len(found.given_up), found.stuck)
    assert outcome == {
        "stays": (0, 0, 0),
        "is done": (1, 0, 0),
        "is given up": (0, 1, 1),
        "is stuck": (0, 0, 1),
    }[expected]  # fmt: skip
