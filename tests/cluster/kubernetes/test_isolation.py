"""What a visitor can do from inside a server: as little as possible.

What is kept away by NetworkPolicies (the cloud's metadata, other pods) is tested in
tests/cluster/chart: this namespace has none.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.kubernetes_stack import LaunchSite, launch_site, namespace, stack_settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOOK_AROUND = """
import json, os, socket, ssl, urllib.request, urllib.error
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
api = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"

def ask(url, seconds=3):
    context = ssl._create_unverified_context()
    try:
        return urllib.request.urlopen(url, timeout=seconds, context=context).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return "unreachable"

def can_be_root():
    try:
        os.setuid(0)
    except OSError:
        return False
    return True

print(json.dumps({
    "uid": os.getuid(),
    "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "seccomp": status["Seccomp"],
    "no_new_privileges": status["NoNewPrivs"],
    "token": os.path.exists("/var/run/secrets/kubernetes.io/serviceaccount/token"),
    "sockets": [p for p in ("/var/run/docker.sock", "/run/containerd/containerd.sock")
                if os.path.exists(p)],
    "pods": ask(api + "/api/v1/pods"),
    "secrets": ask(api + "/api/v1/secrets"),
    "can_be_root": can_be_root(),
    "devices": sorted(n for n in os.listdir("/dev") if n.startswith(("sd", "nvme", "vd", "kmsg"))),
}))
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def found(
    kubeconfig: str, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[dict[str, Any], LaunchSite, dict[str, Any]]]:
    """What a look around in a server finds; the site; the server's pod."""
    async with namespace() as name:
        settings = stack_settings(tmp_path_factory.mktemp("member") / "state", name)
        async with launch_site(settings) as site:
            session = await site.hub.launch(base_image)
            assert session.last_event.get("ready") is True, session.last_event
            seen = json.loads(await site.run(session, LOOK_AROUND))
            yield seen, site, await site.pod_of(session)
            await site.hub.stop(session)


Found = tuple[dict[str, Any], LaunchSite, dict[str, Any]]


async def test_a_server_is_no_root_and_cannot_become_it(found: Found) -> None:
    seen = found[0]
    assert seen["uid"] == 1000
    assert seen["can_be_root"] is False
    assert seen["capabilities"] == 0, "a capability of the kernel is left"
    assert seen["no_new_privileges"] == "1", "setuid programs work"
    assert seen["seccomp"] == "2", "no filter of system calls is on"
    assert seen["devices"] == []


async def test_a_server_has_no_part_in_the_cluster(found: Found) -> None:
    seen, _, pod = found
    assert seen["token"] is False, "a token of the cluster is in the server"
    assert seen["sockets"] == []
    assert seen["pods"] in (401, 403, "unreachable")
    assert seen["secrets"] in (401, 403, "unreachable")
    assert pod["spec"]["automountServiceAccountToken"] is False
    assert not pod["spec"].get("volumes")


async def test_policies_and_housekeeping_find_the_pod_by_its_labels(found: Found) -> None:
    labels = found[2]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "binderfed"
    assert labels["app.kubernetes.io/component"] == "server"
    assert labels["binder-federation.org/member"] == found[1].settings.name


async def test_the_disk_is_limited_but_not_reserved(found: Found) -> None:
    [container] = found[2]["spec"]["containers"]
    assert container["resources"]["limits"]["ephemeral-storage"] == "10Gi"
    assert container["resources"]["requests"]["ephemeral-storage"] == "64Mi"
