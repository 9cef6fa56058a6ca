"""How much a server may send, set before it starts; what runs in it cannot undo that."""

import asyncio
import json
from pathlib import Path

from tests.support.kubernetes_stack import launch_site, namespace, stack_settings
from tests.support.project_image import project_image

ASK_THE_KERNEL = """
import json, os, socket, struct
DUMP, CHANGE, INTERFACE = 0x301, 5, socket.if_nametoindex("eth0")

def ask(kind, flags):
    # rtnetlink's tcmsg: family, padding, interface, handle, parent (the root), info
    message = struct.pack("=BBHiIII", 0, 0, 0, INTERFACE, 0, 0xFFFFFFFF, 0)
    head = struct.pack("=IHHII", 16 + len(message), kind, flags, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.sendto(head + message, (0, 0))
        return kernel.recv(65536)

RTM_DELQDISC, RTM_GETQDISC = 37, 38
answer = ask(RTM_DELQDISC, CHANGE)
error = struct.unpack("=i", answer[16:20])[0]
print(json.dumps({"removed": os.strerror(-error), "kinds": str(ask(RTM_GETQDISC, DUMP))}))
"""


async def test_a_server_sends_no_more_than_it_may(
    kubeconfig: str, base_image: str, tmp_path: Path
) -> None:
    image = await asyncio.to_thread(project_image)
    async with namespace() as name:
        kubernetes = {
            "user": {"image_pull_policy": "IfNotPresent", "egress_megabits": 20},
            "build": {"image": image, "image_pull_policy": "IfNotPresent"},
        }
        settings = stack_settings(tmp_path / "state", name, kubernetes=kubernetes)
        async with launch_site(settings) as site:
            session = await site.hub.launch(base_image)
            assert session.last_event.get("ready") is True, session.last_event
            found = json.loads(await site.run(session, ASK_THE_KERNEL))
            assert "tbf" in found["kinds"], "the kernel has a token bucket on the server's network"
            assert found["removed"] == "Operation not permitted"
            [limit] = (await site.pod_of(session))["spec"]["initContainers"]
            assert limit["args"][:3] == ["tbf", "rate", "20000kbit"]
            await site.hub.stop(session)
