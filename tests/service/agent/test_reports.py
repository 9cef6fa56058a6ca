"""What the federation is told, over a real connection."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from binder_federation.binder.events import Phase
from binder_federation.binder.messages import CheckRecord
from tests.support.agent_server import CREDENTIAL, SHA, AgentServer, running_agent
from tests.support.eventually import eventually
from tests.support.fake_stack import FakeStack
from tests.support.report_receiver import ReportReceiver


@pytest.fixture
async def receiver() -> AsyncIterator[ReportReceiver]:
    async with ReportReceiver() as server:
        yield server


async def test_the_first_report_has_everything(receiver: ReportReceiver) -> None:
    async with running_agent(federation_url=receiver.url, report_every_seconds=0.05) as agent:
        first = await receiver.report(1)
        assert receiver.reports[0].inventory == "whole"
        assert receiver.reports[0].sequence == 1
        assert first.member == "alpha"
        assert first.load.capacity == 50
        assert first.load.build_slots == agent.context.settings.build.slots
        assert CheckRecord(service="JupyterHub API", ok=True) in first.checks
        assert "Pod quota" not in {check.service for check in first.checks}
        assert all(each.startswith("Bearer ey") for each in receiver.authorizations), "not signed"
        assert f"Bearer {CREDENTIAL}" not in receiver.authorizations


async def test_a_build_is_reported_at_once_and_as_a_change(receiver: ReportReceiver) -> None:
    async with running_agent(federation_url=receiver.url, report_every_seconds=3600) as agent:
        await receiver.report(1)
        seen = await agent.launch()
        report = await receiver.report(2)
        assert report.inventory == "changes"
        (image,) = report.images
        assert seen.last.fields["image"] == f"fake/{image.key}"
        assert image.repository == "gh/owner/repository"
        assert report.sequence == 2
        assert report.estimates.build_seconds is not None


async def test_a_removed_image_is_reported(receiver: ReportReceiver) -> None:
    stack = FakeStack()
    async with running_agent(
        stack, federation_url=receiver.url, report_every_seconds=0.05
    ) as agent:
        await agent.launch(query="?build_only=true")

        async def is_known() -> bool:
            return any(report.images for report in receiver.reports)

        await eventually(is_known, what="the image to be reported")
        (key,) = stack.images.images
        stack.images.images.clear()
        await agent.context.inventory.read()

        async def is_gone() -> bool:
            return any(key in report.removed for report in receiver.reports)

        await eventually(is_gone, what="its removal to be reported")


async def test_the_whole_inventory_comes_when_it_is_asked_for(receiver: ReportReceiver) -> None:
    async with running_agent(federation_url=receiver.url, report_every_seconds=0.05) as agent:
        await agent.launch()

        async def is_known() -> bool:
            return receiver.reports[-1].inventory == "changes" and bool(
                agent.context.inventory.records
            )

        await eventually(is_known, what="a report of changes")
        receiver.asks_for_whole = True
        await receiver.next_report()
        again = await receiver.next_report()
        assert again.inventory == "whole"
        assert len(again.images) == 1


async def test_load_counts_launches_in_flight(receiver: ReportReceiver) -> None:
    stack = FakeStack()
    async with running_agent(
        stack, federation_url=receiver.url, report_every_seconds=0.05
    ) as agent:
        await agent.launch()
        stack.hub.starts_by_themselves = False
        await agent.context.sessions.refresh()
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(agent.launch(f"gh/owner/other/{SHA}"))

            async def both_are_told() -> bool:
                load = receiver.reports[-1].load
                return (load.running, load.pending) == (1, 1)

            async def hub_was_asked() -> bool:
                return any(server.pending for server in stack.hub.servers.values())

            await eventually(both_are_told, what="one running and one pending")
            await eventually(hub_was_asked, what="the hub to be asked for a server")
            stack.hub.finish()
        assert starting.result().last.phase is Phase.READY
        assert receiver.reports[-1].estimates.spawn_seconds is not None


async def test_a_federation_that_refuses_or_is_gone_is_tried_again(
    receiver: ReportReceiver,
) -> None:
    receiver.status = 401
    async with running_agent(federation_url=receiver.url, report_every_seconds=0.02) as agent:

        async def was_refused() -> bool:
            return receiver.refused >= 3

        await eventually(was_refused, what="three refused reports")
        receiver.status = 200
        report = await receiver.next_report()
        assert report.inventory == "whole"
        text = (await agent.client.get("/metrics")).text
        assert 'binderfed_agent_report_failures_total{reason="status_401"}' in text
        assert (await agent.launch()).last.phase is Phase.READY


async def test_without_a_federation_it_serves(agent: AgentServer) -> None:
    assert (await agent.client.get("/health")).status_code == 200
