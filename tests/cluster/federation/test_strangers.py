"""What a stranger's code and a cluster's readers see of a member, were there no NetworkPolicy.

The chart's policies keep servers from all of this; where a cluster has no plugin for them, the
agent itself has to refuse.
"""

import json
from typing import Any

import pytest

from binder_federation.binder.events import Phase
from tests.cluster.federation.conftest import Site
from tests.support.helm_member import CREDENTIAL, HelmMember
from tests.support.kubectl import kubectl
from tests.support.launch_checks import run_code

pytestmark = pytest.mark.asyncio(loop_scope="session")

REFUSED = (
    ("GET", "/build/gh/owner/repository/HEAD"),
    ("DELETE", "/build/gh/owner/repository/HEAD"),
    ("GET", "/api/drain"),
    ("PUT", "/api/drain"),
    ("GET", "/hub/api/users"),
    ("POST", "/hub/api/users/somebody"),
    ("GET", "/hub/api/proxy"),
    ("GET", "/hub/api/info"),
    ("GET", "/hub/metrics"),
    ("GET", "/api/routes"),
    ("GET", "/api/rawdata"),
    ("GET", "/api/contents"),
    ("GET", "/user/{user}/api/contents"),
)
ASK = """
import json, urllib.request, urllib.error
def ask(method, url):
    request = urllib.request.Request(url, method=method, headers={"Accept": "*/*"})
    try:
        return urllib.request.urlopen(request, timeout=5).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
print(json.dumps([ask(method, url) for method, url in QUESTIONS]))
"""


async def ports_of(member: HelmMember) -> list[int]:
    """What the agent's pod listens to for others."""
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in (await member.run("cat", f"/proc/net/{table}")).splitlines()[1:]:
            local, _, state = line.split()[1:4]
            address, _, port = local.partition(":")
            is_loopback = address in ("0100007F", "00000000000000000000000001000000")
            if state == "0A" and not is_loopback:
                ports.add(int(port, 16))
    return sorted(ports)


async def test_the_agent_refuses_what_comes_from_a_terminal(site: Site) -> None:
    path = site.repository("stranger")
    mine = await site.federation.launch(path)
    theirs = await site.federation.launch(path)
    assert mine.last.phase is theirs.last.phase is Phase.READY, mine.text + theirs.text
    member = site.members[str(mine.last.fields["member"])]
    (agent,) = await member.pods("agent")
    neighbour = str(theirs.last.fields["url"]).rstrip("/").rpartition("/")[2]
    ports = await ports_of(member)
    questions = [
        (method, f"http://{agent['status']['podIP']}:{port}{path.replace('{user}', neighbour)}")
        for port in ports
        for method, path in REFUSED
    ]
    found = json.loads(await run_code(mine, f"QUESTIONS = {questions!r}\n{ASK}"))

    assert len(ports) == 2, f"it listens to more than its API and the hub's proxy: {ports}"
    assert set(found) - {0}, "nothing was reached, so nothing was tried"
    open_to_all = [
        question for question, status in zip(questions, found, strict=True) if 200 <= status < 400
    ]
    assert open_to_all == []


async def test_nothing_secret_is_shown_to_those_who_may_look(site: Site) -> None:
    """Whoever may read pods, events and logs, but no Secrets, cannot become the federation, the
    hub's master, or a visitor by what the agent writes."""
    seen = await site.federation.launch(site.repository("watched", more="RUN sleep 2\n"))
    assert seen.last.phase is Phase.READY, seen.text
    member = site.members[str(seen.last.fields["member"])]
    token = str(seen.last.fields["token"])
    log = await kubectl(
        "logs", "--namespace", member.namespace, "--selector", member.selector("agent"), "--tail=-1"
    )
    events = await kubectl("get", "events", "--namespace", member.namespace, "-o", "json")
    pods = [await member.pods(kind) for kind in ("agent", "build")]
    servers = await member.pods("server")

    assert "event" in log, "the log is not there"
    assert CREDENTIAL not in log + events + json.dumps([*pods, *servers])
    assert token not in log + events + json.dumps(pods)
    assert secrets_in_environments(pods[0]) == [], "the agent's secrets stand in its pod"


def secrets_in_environments(pods: list[dict[str, Any]]) -> list[str]:
    """Variables that are named like secrets, and have their value in the pod."""
    return [
        variable["name"]
        for pod in pods
        for container in pod["spec"]["containers"]
        for variable in container.get("env", [])
        if "value" in variable
        and any(word in variable["name"] for word in ("TOKEN", "CREDENTIAL", "PASSWORD"))
    ]
