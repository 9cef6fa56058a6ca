"""A visitor's trace through federation, agent and hub; spans where somebody wants them."""

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.agent_server import CREDENTIAL, PATH, AgentServer, running_agent
from tests.support.fake_member import FakeMember
from tests.support.federation_server import FederationServer, running_federation
from tests.support.otlp_receiver import OtlpReceiver, running_receiver

TRACE_ID, SPAN_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"
FEDERATION, AGENT = "binder-federation", "binder-cluster-agent"
KEY = "a-key-of-the-collectors"


@asynccontextmanager
async def both(**settings: Any) -> AsyncIterator[tuple[FederationServer, AgentServer]]:
    """A federation whose one member is a real agent."""
    async with running_agent(**settings) as agent:
        member = FakeMember("alpha", port=urlsplit(agent.url).port or 0)  # stands for its address
        async with running_federation([member], **settings) as federation:
            yield federation, agent


@pytest.fixture
async def traced() -> OtlpReceiver:
    """The spans of one launch whose request was part of a trace, and of one that was not."""
    async with running_receiver() as receiver:
        telemetry = {"otlp_endpoint": receiver.url, "otlp_headers": {"x-key": KEY}}
        async with both(telemetry=telemetry) as (federation, _):
            await federation.launch(PATH, headers={"traceparent": PARENT})
            await federation.launch(PATH.replace("owner", "other"))
        return receiver


async def test_a_trace_is_passed_on_to_the_hub_without_opentelemetry() -> None:
    async with both() as (federation, agent):
        await federation.launch(PATH, headers={"traceparent": PARENT})
        passed_on = agent.stack.hub.traces
        agent.stack.hub.traces = set()
        await federation.launch(PATH, headers={"traceparent": "00-not-a-trace-01"})
        malformed = agent.stack.hub.traces

    assert PARENT in passed_on, "the hub was not told of the visitor's trace"
    assert malformed == {""}, "a malformed traceparent was passed on"


async def test_one_launch_is_one_trace_from_the_federation_to_the_member(
    traced: OtlpReceiver,
) -> None:
    launch = next(span for span in traced.named(FEDERATION, "launch") if span.trace_id == TRACE_ID)
    assert launch.parent_id == SPAN_ID
    below = {span.name: span for span in traced.below(launch)}
    assert below.keys() == {"resolve", "decide", "attempt"}
    assert below["decide"].attributes["binderfed.member"] == "alpha"
    assert below["attempt"].attributes["binderfed.attempt"] == "1"
    (at_member,) = traced.below(below["attempt"])
    assert (at_member.service, at_member.name) == (AGENT, "launch")
    assert {span.name for span in traced.below(at_member)} == {"build", "start_server"}
    assert not any(span.is_failed for span in traced.spans)


async def test_a_launch_of_no_trace_begins_one(traced: OtlpReceiver) -> None:
    (own,) = [span for span in traced.named(FEDERATION, "launch") if span.trace_id != TRACE_ID]

    assert own.parent_id == ""
    at_member = [span for span in traced.named(AGENT, "launch") if span.trace_id == own.trace_id]
    assert len(at_member) == 1


async def test_spans_tell_no_secret(traced: OtlpReceiver) -> None:
    told = repr(traced.spans)

    assert traced.keys == {KEY}
    for secret in (CREDENTIAL, KEY, "hub-token", "eyJ"):
        assert secret not in told
    assert all(span.events == 0 for span in traced.spans), "an exception was recorded"


async def test_a_failed_launch_is_told_by_its_code_alone() -> None:
    async with running_receiver() as receiver:
        async with both(telemetry={"otlp_endpoint": receiver.url}) as (federation, agent):
            agent.stack.hub.starts_fail = True
            await federation.launch(PATH)
        (launch,) = receiver.named(FEDERATION, "launch")

    assert launch.is_failed
    assert launch.attributes["error.type"] == "launch_failed"
    assert "secret detail" not in repr(receiver.spans)


async def test_a_collector_that_is_not_there_fails_no_launch() -> None:
    telemetry = {"otlp_endpoint": "http://127.0.0.1:9/v1/traces", "timeout_seconds": 0.2}
    async with both(telemetry=telemetry) as (federation, _):
        seen = await federation.launch(PATH)

    assert seen.last.phase.value == "ready"


def test_without_the_extra_a_sentence_says_so_and_nothing_else_needs_it() -> None:
    script = """
import asyncio, sys
sys.modules["opentelemetry"] = None
from binder_federation.cluster_agent.app import create_app
from binder_federation.config.federation import FederationSettings
from binder_federation.federation.app import create_app
async def main():
    await (await create_app(FederationSettings())).cleanup()
    try:
        await create_app(FederationSettings(telemetry={"otlp_endpoint": "http://x"}))
    except Exception as error:
        print(type(error).__name__, error, getattr(error, "advice", ""))
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert done.stdout.startswith("TracingNotInstalled telemetry.otlp_endpoint is set"), done.stderr
    assert "binder-federation[tracing]" in done.stdout
