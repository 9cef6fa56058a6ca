"""The policy is live: in force everywhere soon after the file has changed."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client import CollectorRegistry

from binder_federation.binder.events import StreamParser, event_from_json
from binder_federation.config.policy import PolicySettings
from binder_federation.federation.limits.live_policy import LivePolicy
from binder_federation.federation.limits.policy_file import CHECK_EVERY_SECONDS, PolicyFile
from tests.support.agent_server import CREDENTIAL, AgentServer, running_agent
from tests.support.eventually import eventually
from tests.support.fake_member import FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation
from tests.support.ports import free_port

PATH = f"gh/owner/repository/{SHA}"
STREAM = {"Accept": "text/event-stream"}
VISITOR = {**STREAM, "X-Forwarded-For": "203.0.113.7"}
PROXIED: dict[str, Any] = {"trusted_proxies": ["127.0.0.0/8"]}
NETWORK = {"banned_networks": {"203.0.113.0/24": "Example Networks"}}
SPEC = {"banned_specs": [{"pattern": "gh/owner/.*"}]}
IN_FORCE_SECONDS = 10.0


def write(path: Path, text: str) -> None:
    """Replace the file as an operator's tools do: whole."""
    other = path.with_suffix(".new")
    other.write_text(text)
    other.replace(path)


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text("")
    return path


async def status(server: FederationServer) -> int:
    return (await server.client.head(f"/build/{PATH}", headers=VISITOR)).status_code


async def metric(server: FederationServer) -> str:
    lines = (await server.client.get("/metrics")).text.splitlines()
    return next(line for line in lines if line.startswith("binderfed_policy_errors "))


async def eventually_answers(server: FederationServer, expected: int) -> None:
    async def does() -> bool:
        return await status(server) == expected

    await eventually(
        does, what=f"a HEAD of /build to be answered with {expected}", within_seconds=10
    )


async def test_it_is_read_again_when_it_changes(alpha: FakeMember, policy_file: Path) -> None:
    base = {"rate_limit": {"launches": 7}}
    async with running_federation(
        [alpha], policy=base, policy_file=policy_file, **PROXIED
    ) as server:
        assert await status(server) == 200
        write(policy_file, yaml.safe_dump(NETWORK))
        await eventually_answers(server, 403)
        limit = server.context.limits.policy.rate_limit.launches
        assert limit == 7, "parts that the file does not name are the settings'"
        write(policy_file, "rate_limit: {launches: 3}")
        await eventually_answers(server, 200)
        assert server.context.limits.policy.rate_limit.launches == 3


async def test_the_last_good_one_is_kept(alpha: FakeMember, policy_file: Path) -> None:
    write(policy_file, yaml.safe_dump(NETWORK))
    async with running_federation([alpha], policy_file=policy_file, **PROXIED) as server:
        assert await status(server) == 403
        write(policy_file, "[")

        async def is_noticed() -> bool:
            return await metric(server) == "binderfed_policy_errors 1.0"

        await eventually(is_noticed, what="the metric to say that the policy is broken")
        assert await status(server) == 403
        assert (await server.client.get("/health")).status_code == 200


@pytest.mark.parametrize(
    "broken", ["banned_networks: {no network: x}", "- a", "unknown: 1", "[", "\0", None]
)
async def test_what_cannot_be_used_changes_nothing(policy_file: Path, broken: str | None) -> None:
    registry = CollectorRegistry()
    policy = LivePolicy(PolicySettings())
    watched = PolicyFile(path=policy_file, base=PolicySettings(), policy=policy, registry=registry)
    write(policy_file, yaml.safe_dump(NETWORK))
    await watched.check()
    good = policy.current
    if broken is None:
        policy_file.unlink()
    else:
        write(policy_file, broken)
    await watched.check()
    assert policy.current is good
    assert registry.get_sample_value("binderfed_policy_errors") == 1
    write(policy_file, yaml.safe_dump(SPEC))
    await watched.check()
    assert policy.current.settings.banned_specs
    assert not policy.current.settings.banned_networks
    assert registry.get_sample_value("binderfed_policy_errors") == 0


async def test_a_start_with_a_broken_file_serves_with_the_settings(
    alpha: FakeMember, policy_file: Path
) -> None:
    write(policy_file, "[")
    async with running_federation(
        [alpha], policy=NETWORK, policy_file=policy_file, **PROXIED
    ) as server:
        assert await status(server) == 403
        assert await metric(server) == "binderfed_policy_errors 1.0"


class AgentMember:
    """A real agent as a member of the federation under test."""

    name = "alpha"

    def __init__(self, agent: AgentServer) -> None:
        self.agent = agent
        self.settings = {"name": self.name, "url": agent.url, "credential": CREDENTIAL}


@asynccontextmanager
async def federation_with_agent(
    policy_file: Path, **settings: Any
) -> AsyncIterator[tuple[FederationServer, AgentServer]]:
    """A federation at a port that its agent knows from the beginning."""
    port = free_port()
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(
            running_agent(
                federation_url=f"http://127.0.0.1:{port}", report_every_seconds=0.5, **PROXIED
            )
        )
        member: Any = AgentMember(agent)
        federation = await stack.enter_async_context(
            running_federation([member], policy_file=policy_file, port=port, **PROXIED, **settings)
        )
        yield federation, agent


async def last_event(client: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """The final event of a stream that a browser is sent to."""
    parser = StreamParser()
    async with client.stream("GET", url, headers=STREAM) as answer:
        assert answer.status_code == 200, "a browser cannot read another answer"
        async for chunk in answer.aiter_bytes():
            for message in parser.feed(chunk):
                event = event_from_json(message.data)
                if event.phase.is_final:
                    return {"phase": event.phase.value, **event.fields}
    raise AssertionError("the stream ended without a final event")


@pytest.mark.parametrize(("ban", "refused"), [(NETWORK, "network_banned"), (SPEC, "spec_banned")])
async def test_a_ban_holds_at_the_member_for_a_token_from_before(
    policy_file: Path, ban: dict[str, Any], refused: str
) -> None:
    """A visitor of redirect mode was sent there with a token; then the ban came."""
    redirect = {"mode": "redirect"}
    async with federation_with_agent(policy_file, launch=redirect) as (federation, agent):
        answer = await federation.client.get(f"/build/{PATH}", headers=VISITOR)
        assert answer.status_code == 307
        member_url = answer.headers["Location"]
        assert (await last_event(agent.client, member_url))["phase"] == "ready"

        write(policy_file, yaml.safe_dump(ban))

        async def holds() -> bool:
            event = await last_event(agent.client, member_url)
            return str(event.get("code")) == refused

        await eventually(
            holds, what="the ban to hold at the member", within_seconds=IN_FORCE_SECONDS
        )
        assert await status(federation) == 403

        write(policy_file, "")

        async def is_over() -> bool:
            event = await last_event(agent.client, member_url)
            return str(event["phase"]) == "ready"

        await eventually(is_over, what="the ban to be lifted", within_seconds=IN_FORCE_SECONDS)


async def test_a_ban_holds_for_visitors_of_an_open_member(policy_file: Path) -> None:
    port = free_port()
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(
            running_agent(
                federation_url=f"http://127.0.0.1:{port}",
                report_every_seconds=0.5,
                open_builds=True,
                **PROXIED,
            )
        )
        member: Any = AgentMember(agent)
        write(policy_file, yaml.safe_dump(NETWORK))
        await stack.enter_async_context(
            running_federation([member], policy_file=policy_file, port=port)
        )

        async def is_refused() -> bool:
            seen = await agent.launch(PATH, headers=VISITOR)
            return seen.last.fields.get("code") == "network_banned"

        await eventually(is_refused, what="the open member to refuse", within_seconds=10)
        other = await agent.launch(PATH, headers={**STREAM, "X-Forwarded-For": "192.0.2.1"})
        assert other.phases[-1] == "ready"


def test_the_time_until_a_ban_is_in_force_is_under_ten_seconds() -> None:
    """The federation looks at the file each second, agents report each 3 s ± 20 %."""
    assert CHECK_EVERY_SECONDS + 3.0 * 1.2 < IN_FORCE_SECONDS
