"""A stack that may not work says so at its start, not at each visitor's launch."""

import json
import os
from pathlib import Path

import pytest
import yaml

from binder_federation.cluster_agent.stacks.base import StackNotReady
from tests.support.kubectl import kubectl
from tests.support.kubernetes_stack import launch_site, namespace, stack_settings


async def kubeconfig_of(account: str, name: str, path: Path) -> Path:
    """A copy of the kubeconfig file whose user is the service account."""
    await kubectl("create", "serviceaccount", account, "-n", name)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    url = f"/api/v1/namespaces/{name}/serviceaccounts/{account}/token"
    told = await kubectl("create", "--raw", url, "-f", "-", stdin=json.dumps(request))
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text(encoding="utf-8"))
    for user in config["users"]:
        user["user"] = {"token": json.loads(told)["status"]["token"]}
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


async def test_rights_that_are_missing_are_named(
    kubeconfig: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with namespace() as name:
        weak = await kubeconfig_of("weak", name, tmp_path / "weak.yaml")
        rights = ["--verb=get,list,watch,create", "--resource=pods"]
        await kubectl("create", "role", "some", "-n", name, *rights)
        bound = ["--role=some", f"--serviceaccount={name}:weak"]
        await kubectl("create", "rolebinding", "some", "-n", name, *bound)
        with monkeypatch.context() as environment:
            environment.setenv("KUBECONFIG", str(weak))
            with pytest.raises(StackNotReady) as refused:
                async with launch_site(stack_settings(tmp_path / "state", name)):
                    pass
    assert "may not delete pods, get pods/log, create secrets" in refused.value.message
    assert "create pods" not in refused.value.message, "that it may"
    assert "Role" in refused.value.advice


async def test_a_cluster_that_is_not_configured_is_told(
    kubeconfig: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as environment:
        environment.setenv("KUBECONFIG", str(tmp_path / "no-such-file"))
        with pytest.raises(StackNotReady, match="No Kubernetes cluster is configured"):
            async with launch_site(stack_settings(tmp_path / "state", "x")):
                pass
