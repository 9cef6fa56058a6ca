"""A member from nothing: an invitation, the chart, a checklist, and the first visitor."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from binder_federation.binder.events import Phase
from tests.support.federation_process import FederationProcess, federation_process
from tests.support.git_server import GitServer
from tests.support.helm_member import CHART, FIRST_NODE_PORT, NODE_PORTS, node_address
from tests.support.kubectl import helm, kubectl, names
from tests.support.kubernetes_builds import engine_groups
from tests.support.launch_checks import answers
from tests.support.notebooks import notebook_files
from tests.support.project_image import project_image
from tests.support.running_up import git_path
from tests.support.site import host_address

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADMIN_TOKEN = "an-admin-token-of-the-tests"
JOIN = ("binderfed-agent", "join", "--config", "/etc/binder/agent.yaml", "--wait", "180")


def invite(federation: FederationProcess) -> str:
    """As the federation's operator does it; the token."""
    done = subprocess.run(
        [sys.executable, "-m", "binder_federation.federation.cli.main", "invite",
         "--name", "uni-x", "--federation", federation.url],
        env={**os.environ, "BINDERFED_ADMIN_TOKEN": ADMIN_TOKEN},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return next(word for word in done.stdout.split() if word.startswith("bfi_"))


async def install(namespace: str, file: Path) -> str:
    """Install the chart, and have the agent tell how far it is."""
    await helm(
        "install", "uni-x", str(CHART), "--namespace", namespace, "--values", str(file), "--wait"
    )
    where = ("--namespace", namespace, "deployment/uni-x-cluster-agent")
    return await kubectl("exec", *where, "--", *JOIN)


async def test_an_institution_joins_by_the_chart_and_comes_back_without_its_invitation(
    kubeconfig: str, docker_engine: str, base_image: str, tmp_path: Path
) -> None:
    host, address, image = host_address(), await node_address(), project_image().rpartition(":")
    port = FIRST_NODE_PORT + secrets.randbelow(NODE_PORTS // 2) * 2
    namespace = f"bf-joins-{secrets.token_hex(3)}"
    async with GitServer(tmp_path / "git", host=host) as git:
        git.create("small", notebook_files(base_image, name="small", more=""))
        path = git_path(f"{git.url}/small")
        async with federation_process(
            tmp_path / "federation",
            host=host,
            members=[],
            providers={"trusted_prefixes": [f"{git.url}/"]},
            admin={"token": ADMIN_TOKEN},
            steering={"file": str(tmp_path / "steering.json")},
            joining={
                "test_repository": path,
                "first_pause_seconds": 2,
                "allow_private_addresses": True,
            },
        ) as federation:
            token = invite(federation)
            values = {
                "image": {"repository": image[0], "tag": image[2]},
                "join": {
                    "url": federation.url,
                    "existingSecret": "invitation",
                    "agentUrl": f"http://{address}:{port}",
                },
                "services": {
                    "api": {"type": "NodePort", "nodePort": port},
                    "proxy": {"type": "NodePort", "nodePort": port + 1},
                },
                "config": {
                    "name": "uni-x",
                    "providers": {"trusted_prefixes": [f"{git.url}/"]},
                    "resources": {"memory_guarantee": "64M", "memory_limit": "1G"},
                    "kubernetes": {
                        "hub": {"public_url": f"http://{address}:{port + 1}"},
                        "build": {"engine_groups": engine_groups()},
                    },
                },
            }
            file = tmp_path / "values.yaml"
            file.write_text(yaml.safe_dump(values), encoding="utf-8")
            await kubectl("create", "namespace", namespace)
            try:
                await kubectl(
                    "create", "secret", "generic", "invitation", "--namespace", namespace,
                    f"--from-literal=join-token={token}",
                )  # fmt: skip
                told = await install(namespace, file)
                assert "uni-x is admitted" in told, told
                seen = await federation.launch(path)
                assert seen.last.phase is Phase.READY, seen.text
                assert await answers(seen)

                await helm("uninstall", "uni-x", "--namespace", namespace)
                await kubectl("delete", "secret", "invitation", "--namespace", namespace)
                kept = await names(namespace, "secrets")
                assert "uni-x-cluster-agent-membership" in kept, kept
                assert "uni-x is admitted" in await install(namespace, file)
            finally:
                await kubectl(
                    "delete", "pods", "--all", "--namespace", namespace,
                    "--grace-period=0", "--force", "--wait=false",
                )  # fmt: skip
                await helm("uninstall", "uni-x", "--namespace", namespace)
                await kubectl("delete", "namespace", namespace, "--timeout=120s")
