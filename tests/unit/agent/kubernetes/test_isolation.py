"""What the manifests of users' pods say of isolation."""

import pytest

from binder_federation.cluster_agent.stacks.kubernetes.isolation import (
    container_security,
    disk_limits,
    disk_requests,
    pod_fields,
    pod_security,
)
from binder_federation.config.isolation import IsolationSettings


def test_the_defaults_are_the_restricted_standard() -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    isolation = IsolationSettings()
    assert container_security(isolation) == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "privileged": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": False,
        "seccompProfile": {"type": "RuntimeDefault"},
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod_security(isolation)["runAsNonRoot"] is True
    assert pod_security(isolation)["seccompProfile"] == {"type": "RuntimeDefault"}
    fields = pod_fields(isolation)
    assert fields["automountServiceAccountToken"] is False
    assert fields["enableServiceLinks"] is False
    assert not fields["hostNetwork"]
    assert "runtimeClassName" not in fields
    assert disk_limits(isolation) == {"ephemeral-storage": "10Gi"}
    assert disk_requests(isolation)["ephemeral-storage"] != "10Gi", "the limit is not reserved"


def test_each_setting_can_be_weakened() -> None:
    isolation = IsolationSettings(
        run_as_user=None,
        run_as_non_root=False,
        allow_privilege_escalation=True,
        drop_capabilities=False,
        seccomp="Unconfined",
        service_account_token=True,
        disk_limit="",
        runtime="gvisor",
    )
    security = container_security(isolation)
    assert "runAsUser" not in security
    assert "capabilities" not in security
    assert security["runAsNonRoot"] is False
    assert security["allowPrivilegeEscalation"] is True
    assert security["seccompProfile"] == {"type": "Unconfined"}
    assert pod_fields(isolation)["automountServiceAccountToken"] is True
    assert pod_fields(isolation)["runtimeClassName"] == "gvisor"
    assert disk_limits(isolation) == disk_requests(isolation) == {}


def test_a_build_cannot_write_to_its_image() -> None:
    security = container_security(IsolationSettings(), is_root_read_only=True)
    assert security["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize("non_root", [True, False])
def test_a_server_that_is_to_run_as_root_may_do_so(non_root: bool) -> None:
    isolation = IsolationSettings(run_as_user=0, run_as_non_root=non_root)
    assert pod_security(isolation)["runAsNonRoot"] is False, "the two would contradict each other"
    assert isolation.unsafe()
