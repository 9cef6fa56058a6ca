"""The 15 defects of BinderHub and mybinder.org's redirector, not inherited: a test for each.

They are short, and fail on the defect itself; what surrounds each has tests of its own:

1   tests/service/health/test_probes.py::test_each_is_asked_once
2   tests/service/health/test_monitor.py::test_every_state_is_written
3   tests/service/health/test_probes.py::test_reason
5   tests/service/federation/test_cors.py
7   tests/unit/health/test_votes.py: what replicas tell each other of health
8   tests/unit/binder/test_grammars.py::test_defect_8_the_affinity_key_keeps_no_ref
12  tests/service/agent/test_launcher.py::test_ended_servers_are_not_counted
13  tests/service/federation/test_limits.py::test_launches_from_our_own_page_are_not_limited
14  tests/e2e/test_loading_page.py::test_a_cut_connection_recovers_and_repeats_nothing (in a
    browser), tests/service/agent/test_builds.py (many who watch one build),
    tests/service/incidents/test_push_incident.py::test_deploy_3387_push_stalls
"""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from binder_federation.binder.events import Phase
from binder_federation.binder.providers import Repositories
from binder_federation.cluster_agent.stacks.repo2docker.maker_order import MakerOrder
from binder_federation.config.federation import FederationSettings, HealthSettings
from binder_federation.config.load import ConfigurationError, load_settings
from binder_federation.federation.redirector.file import import_redirector
from binder_federation.health.probes import judge_health
from binder_federation.health.state import Health, MemberState, observe_probe
from tests.support.agent_server import running_agent
from tests.support.eventually import eventually
from tests.support.fake_binderhub import FakeBinderHub
from tests.support.fake_stack import FakeStack
from tests.support.federation_server import SHA, FederationServer, running_federation
from tests.support.scripted_federation import REPOSITORIES

PATH = f"gh/owner/repository/{SHA}"
HUB_OK = {"service": "JupyterHub API", "ok": True}
REGISTRY_FAILS = {"service": "Docker registry", "ok": False}
FULL = {"service": "Pod quota", "ok": False, "total_pods": 90, "quota": 90}
QUICK: dict[str, Any] = {
    "probe_every_seconds": 0.1,
    "misses_to_suspect": 1,
    "misses_to_down": 1,
    "down_probe_max_seconds": 0.1,
    "recover_after_seconds": 0.0,
    "slow_start_seconds": 0.1,
    "panic_memory_seconds": 0.05,
}


@pytest.fixture
async def hub() -> AsyncIterator[FakeBinderHub]:
    member = FakeBinderHub("hub", pods_cache_seconds=0.0)
    await member.start()
    yield member
    await member.stop()


async def health_series(federation: FederationServer, name: str) -> dict[str, float]:
    """`federation_health` of one member, by reason."""
    text = (await federation.client.get("/metrics")).text
    found = re.findall(
        rf'^federation_health{{member="{name}",reason="([^"]*)"}} (.+)$', text, re.MULTILINE
    )
    return {reason: float(value) for reason, value in found}


async def state_of(federation: FederationServer, name: str = "hub") -> str:
    members = (await federation.client.get("/api/members")).json()["members"]
    return str(next(member["state"] for member in members if member["name"] == name))


async def until_state(federation: FederationServer, state: str) -> None:
    async def is_so() -> bool:
        return await state_of(federation) == state

    await eventually(is_so, what=f"the member to be {state}")


def probed(*answers: tuple[bool, str]) -> MemberState:
    """The state of a member that was well, after these probes, ten seconds apart."""
    settings, health, now = HealthSettings(), Health(), 0.0
    for passed, reason in ((True, "ok"), *answers):
        now += 10.0
        health = observe_probe(health, passed, reason, now=now, settings=settings)
    return health.state


async def test_defect_01_a_probe_of_a_well_member_is_one_request_for_each(
    hub: FakeBinderHub,
) -> None:
    every = 0.2
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    async with running_federation([hub], health={"probe_every_seconds": every}):

        async def is_probed_often() -> bool:
            return hub.probes["/health"] >= 5

        await eventually(is_probed_often, what="some probes")
    periods = (loop.time() - began_at) / (every * 0.8)
    for path in ("/health", "/versions"):
        assert hub.probes[path] <= periods + 2, f"{path} is asked more than once in a period"
    assert abs(hub.probes["/health"] - hub.probes["/versions"]) <= 1


def test_defect_01_a_late_502_puts_no_well_member_out() -> None:
    assert probed((True, "ok"), (False, "status_502")) is MemberState.UP


async def test_defect_02_no_old_reason_is_left_in_the_metrics(hub: FakeBinderHub) -> None:
    async with running_federation([hub], health=QUICK) as federation:
        assert await health_series(federation, "hub") == {"": 1.0}
        hub.is_well = False
        await until_state(federation, "down")
        assert await health_series(federation, "hub") == {"": 0.0, "JupyterHub API": 0.0}
        await hub.stop()

        async def is_told() -> bool:
            return await health_series(federation, "hub") == {"": 0.0, "refused": 0.0}

        await eventually(is_told, what="the new reason to replace the old one")
        hub.is_well = True
        await hub.start()
        await until_state(federation, "up")
        assert await health_series(federation, "hub") == {"": 1.0}, "no red panel stays, either"


def test_defect_03_a_503_tells_the_reason() -> None:
    body = json.dumps({"ok": False, "checks": [HUB_OK, REGISTRY_FAILS]}).encode()

    reason, checks = judge_health(503, body)

    assert reason == "check:Docker registry"
    assert [check.service for check in checks] == ["JupyterHub API", "Docker registry"]


async def test_defect_04_without_any_member_everything_else_answers(hub: FakeBinderHub) -> None:
    async with running_federation([hub], health=QUICK) as federation:
        await hub.stop()
        await until_state(federation, "down")
        for path in ("/", f"/v2/{PATH}", "/about", "/health", "/versions", "/badge_logo.svg"):
            answer = await federation.client.get(path)
            assert answer.status_code == 200, f"{path}: {answer.status_code}"
        assert (await federation.client.get("/active_hosts")).json() == {"active_hosts": {}}


def test_defect_04_a_prime_without_weight_is_a_member_that_drains() -> None:
    host = {"url": "https://hub.example", "weight": 0, "prime": True}

    settings = FederationSettings(**import_redirector({"hosts": {"hub": host}}).settings)

    assert settings.members[0].draining


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 204), ("HEAD", 200), ("POST", 405)])
async def test_defect_05_other_methods_are_answered_for_pages_elsewhere(
    hub: FakeBinderHub, method: str, status: int
) -> None:
    page = {"Origin": "https://book.example", "Accept": "text/event-stream"}
    asked = {**page, "Access-Control-Request-Method": "GET"}
    async with running_federation([hub]) as federation:
        answer = await federation.client.request(method, f"/build/{PATH}", headers=asked)

    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", "https://book.example")
    assert hub.paths == [], "nothing was launched"


def test_defect_06_a_null_host_is_left_out_or_told() -> None:
    hosts = {"old": None, "hub": {"url": "https://hub.example", "weight": 1}}

    imported = import_redirector({"hosts": hosts})

    assert [member["name"] for member in imported.settings["members"]] == ["hub"]
    assert "hosts.old is null" in imported.notes[0]
    with pytest.raises(ConfigurationError, match=r"members\.0"):
        load_settings(FederationSettings, None, members=[None])


async def test_defect_07_the_redirect_count_is_no_gauge(hub: FakeBinderHub) -> None:
    async with running_federation([hub]) as federation:
        await federation.launch(PATH)
        text = (await federation.client.get("/metrics")).text

    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert types["federation_redirect_count"] == "untyped", "its rate() can be taken"
    assert types["binderfed_decisions_total"] == "counter"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("gh/Owner/Repo/main", "gh/owner/repo/feature/x"),
        ("gl/group%2Fsub%2FRepo/main", "gl/group%2Fsub%2Frepo/feature/x"),
        ("gist/Owner/0123456789abcdef0123/master", f"gist/owner/0123456789abcdef0123/{SHA}"),
        ("git/https%3A%2F%2Fx.org%2Fr/main", "git/https%3A%2F%2Fx.org%2Fr/feature/x"),
        ("bitbucket/space%2Frepo/main", "bitbucket/space%2Frepo/feature/x"),
    ],
)
def test_defect_08_the_key_of_a_repository_keeps_no_ref(one: str, other: str) -> None:
    repositories: Repositories = REPOSITORIES

    assert repositories.parse(one).affinity_key == repositories.parse(other).affinity_key


def test_defect_09_a_check_after_pod_quota_counts() -> None:
    body = json.dumps({"ok": False, "checks": [FULL, REGISTRY_FAILS]}).encode()

    assert judge_health(503, body)[0] == "check:Docker registry"
    assert judge_health(200, body)[0] == "check:Docker registry"


async def test_defect_10_full_is_well_and_load_is_of_now() -> None:
    """The pods were counted before the launches; the third visitor is told at once."""
    hub = FakeBinderHub("hub", quota=2, pods_cache_seconds=60.0)
    await hub.start()
    try:
        async with running_federation([hub]) as federation:
            seen = [await federation.launch(f"gh/owner/r{number}/{SHA}") for number in range(3)]
            state = await state_of(federation)
    finally:
        await hub.stop()

    assert [one.last.phase for one in seen] == [Phase.READY, Phase.READY, Phase.FAILED]
    assert seen[2].last.fields["code"] == "pod_quota"
    assert len(hub.paths) == 2, "a full member is not asked"
    assert state == "up", "full is not unwell"


def test_defect_11_no_number_of_passing_failures_uses_up_patience() -> None:
    blip = [(False, "timeout"), (True, "ok")]

    assert probed(*blip * 50) is MemberState.UP


async def test_defect_12_servers_that_ended_take_no_room() -> None:
    stack = FakeStack()
    async with running_agent(stack, quota={"sessions": 1}) as agent:
        stack.hub.users.update({f"ended-{number}": None for number in range(50)})
        await agent.context.sessions.refresh()
        answer = (await agent.client.get("/health")).json()
        ready = (await agent.launch()).last
    pods = next(check for check in answer["checks"] if check["service"] == "Pod quota")
    assert pods["user_pods"] == 0
    assert ready.phase is Phase.READY


async def test_defect_13_launches_from_our_pages_bring_a_token(hub: FakeBinderHub) -> None:
    settings: dict[str, Any] = {
        "policy": {"rate_limit": {"launches": 1}},
        "trusted_proxies": ["127.0.0.0/8"],
    }
    visitor = {"X-Forwarded-For": "203.0.113.7"}
    async with running_federation([hub], **settings) as federation:
        bare = [await federation.launch(PATH, headers=visitor) for _ in range(2)]
        page = await federation.client.get(f"/v2/{PATH}", headers=visitor)
        token = re.search(r"ey[\w-]+\.[\w-]+\.[\w-]+", page.text)
        assert token, "the page carries no token"
        query = f"?build_token={token[0]}"
        seen = await federation.launch(PATH, headers=visitor, query=query)

    assert [each.status for each in bare] == [200, 429]
    assert seen.last.phase is Phase.READY
    assert hub.headers[0]["X-Forwarded-For"] == "203.0.113.7"


async def test_defect_14_a_stream_that_closes_is_gone_on_with(hub: FakeBinderHub) -> None:
    async with running_federation([hub]) as federation:
        first = await federation.launch(PATH, most_events=2)
        rest = await federation.launch(PATH, headers={"Last-Event-ID": first.ids[-1]})

    assert rest.last.phase is Phase.READY
    assert len(hub.paths) == 1


PRINT_PROVIDERS = """
import sys
from binder_federation.cluster_agent.stacks.repo2docker.maker import ImageMaker
from binder_federation.cluster_agent.stacks.repo2docker.maker_order import MakerOrder
order = MakerOrder.model_validate_json(sys.argv[1])
print(*(provider.__name__ for provider in ImageMaker(order).content_providers))
"""


def test_defect_15_repo2docker_asks_nobody_what_a_url_is(tmp_path: Path) -> None:
    order = MakerOrder(
        folder=tmp_path,
        resolved_ref=SHA,
        subdirectory="",
        reference="registry.example/image:1",
        labels={},
        base_image="",
        build_args={},
        appendix="",
        user_id=1000,
        buildx_args=[],
        traits={},
    )
    command = [sys.executable, "-c", PRINT_PROVIDERS, order.model_dump_json()]

    asked = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    assert asked == ["Local"], "it is given a folder, and looks at nothing else"
