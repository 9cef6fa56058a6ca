"""Every ended launch leaves one line, at one replica, in the form that BinderHub's have."""

import asyncio
import json
import logging
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from binder_federation.binder.events import Phase
from binder_federation.config.load import ConfigurationError
from tests.support.eventually import eventually
from tests.support.fake_member import Failure, FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation
from tests.support.redis_fixtures import fresh
from tests.support.redis_servers import RedisServer

SPEC = f"owner/repository/{SHA}"


class ListHandler(logging.Handler):
    """A place of somebody else's: what it is given, as text."""

    lines: list[str] = []  # noqa: RUF012 - the test looks at it, and the settings make it

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def emit(self, record: logging.LogRecord) -> None:
        if self._prefix == "broken":
            raise RuntimeError("this place does not work")
        self.lines.append(f"{self._prefix}{self.format(record)}")


def lines_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


async def report_full(federation: FederationServer, member: FakeMember) -> None:
    body = {
        "member": member.name,
        "session": "s1",
        "sequence": 0,
        "inventory": "whole",
        "load": {"capacity": 0},
    }
    headers = {"Authorization": f"Bearer {member.credential}"}
    url = f"/api/members/{member.name}/report"
    assert (await federation.client.post(url, json=body, headers=headers)).status_code == 200


async def test_a_launch_leaves_the_line_that_binderhub_would_write(
    alpha: FakeMember, tmp_path: Path
) -> None:
    file = tmp_path / "launches.jsonl"
    async with running_federation(
        [alpha], launch_events={"file": str(file)}, public_url="https://mybinder.org"
    ) as federation:
        await federation.launch(headers={"Origin": "https://site.example"})
        await federation.launch(headers={"Sec-Fetch-Site": "cross-site"})
        await federation.launch(headers={"Origin": "http://192.0.2.7:8888"})
        metrics = (await federation.client.get("/metrics")).text
    first, *others = lines_of(file)

    assert list(first)[:10] == [
        *("timestamp", "schema", "version", "provider", "spec", "ref", "status"),
        *("build_token", "origin", "request_origin"),
    ], "what reads mybinder.org's archive must find its names"
    assert first["timestamp"].endswith("Z")
    assert "+" not in first["timestamp"]
    assert first | {"timestamp": "", "seconds": 0} == {
        "timestamp": "",
        "schema": "binderhub.jupyter.org/launch",
        "version": 6,
        "provider": "GitHub",
        "spec": SPEC,
        "ref": SHA,
        "status": "success",
        "build_token": False,
        "origin": "mybinder.org",
        "request_origin": "https://site.example",
        "attempts": 1,
        "member": "alpha",
        "seconds": 0,
    }
    assert [line["request_origin"] for line in others] == ["cross-site", ""], (
        "a bare address may be a visitor's"
    )
    assert "127.0.0.1" not in json.dumps([first, *others]), "no addresses"
    assert "binderfed_launch_events_total" in metrics


async def test_a_failure_leaves_a_line_that_says_why(alpha: FakeMember, tmp_path: Path) -> None:
    file = tmp_path / "launches.jsonl"
    alpha.fail_next(Failure.BUILD_FAILS)
    async with running_federation([alpha], launch_events={"file": str(file)}) as federation:
        await federation.launch()
        await federation.client.get("/build/gh/nothing")  # refused at the door: no launch
    (line,) = lines_of(file)

    assert (line["status"], line["code"]) == ("failure", "build_failed")
    assert (line["member"], line["ref"]) == ("alpha", SHA)


async def test_failures_and_our_own_fields_can_be_left_out(
    alpha: FakeMember, tmp_path: Path
) -> None:
    file = tmp_path / "launches.jsonl"
    settings = {
        "file": str(file),
        "failures": False,
        "details": False,
        "origin": "hub.example",
        "whole_minutes": True,
    }
    alpha.fail_next(Failure.BUILD_FAILS)
    async with running_federation([alpha], launch_events=settings) as federation:
        await federation.launch()
        await federation.launch()
    (line,) = lines_of(file)

    assert line["status"] == "success"
    assert line["origin"] == "hub.example"
    assert line["timestamp"].endswith(":00Z")
    assert not line.keys() & {"member", "attempts", "seconds", "code"}


async def test_failover_resuming_and_watching_twice_leave_one_line(
    alpha: FakeMember, beta: FakeMember, tmp_path: Path
) -> None:
    file = tmp_path / "launches.jsonl"
    settings = {"file": str(file)}
    async with running_federation([alpha, beta], launch_events=settings) as federation:
        for member in (alpha, beta):
            member.hold(Phase.BUILT)
        cut = await federation.launch(most_events=4)
        first = alpha if cut.last.fields["member"] == "alpha" else beta
        await first.stop()
        for member in (alpha, beta):
            member.go_on()
        headers = {"Last-Event-ID": cut.ids[-1]}
        rest = await federation.launch(headers=headers)
        await federation.launch(headers=headers)
    (line,) = lines_of(file)

    assert rest.last.phase is Phase.READY
    assert (line["status"], line["attempts"]) == ("success", 2)
    assert line["member"] == rest.last.fields["member"] != first.name


async def test_a_launch_that_is_given_up_leaves_a_line(alpha: FakeMember, tmp_path: Path) -> None:
    file = tmp_path / "launches.jsonl"
    alpha.hold(Phase.BUILDING)
    async with running_federation(
        [alpha], launch_events={"file": str(file)}, launch={"resume_seconds": 0.001}
    ) as federation:
        await federation.launch(most_events=2)

        async def is_given_up() -> bool:
            await federation.context.launches.tidy()
            return federation.context.launches.under_way == 0

        await eventually(is_given_up, what="the launch to be given up")
        alpha.go_on()
    (line,) = lines_of(file)

    assert (line["status"], line["code"]) == ("failure", "given_up")


async def test_only_images_are_no_launches(alpha: FakeMember, tmp_path: Path) -> None:
    file = tmp_path / "launches.jsonl"
    async with running_federation([alpha], launch_events={"file": str(file)}) as federation:
        await federation.launch(query="?build_only=true")

    assert lines_of(file) == []


async def test_a_full_disk_fails_no_launch(alpha: FakeMember) -> None:
    settings = {
        "file": "/dev/full",
        "handlers": [{"make": f"{__name__}:ListHandler", "options": {"prefix": "broken"}}],
    }
    async with running_federation([alpha], launch_events=settings) as federation:
        seen = [await federation.launch() for _ in range(3)]

        async def are_counted() -> bool:
            metrics = (await federation.client.get("/metrics")).text
            return 'binderfed_launch_events_total{outcome="lost"} 3.0' in metrics

        await eventually(are_counted, what="three lost lines in the metrics")
    assert {one.last.phase for one in seen} == {Phase.READY}


async def test_a_handler_of_another_package_gets_the_lines(alpha: FakeMember) -> None:
    ListHandler.lines.clear()
    handler = {"make": f"{__name__}:ListHandler", "options": {"prefix": "> "}}
    async with running_federation([alpha], launch_events={"handlers": [handler]}) as federation:
        await federation.launch()

    (line,) = ListHandler.lines
    assert json.loads(line.removeprefix("> "))["spec"] == SPEC


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"file": "/nonexistent/folder/x"}, "cannot be written"),
        ({"handlers": [{"make": "no.such:thing"}]}, "cannot be imported"),
        ({"handlers": [{"make": "json:dumps", "options": {"obj": 1}}]}, "no logging handler"),
        ({"handlers": [{"make": f"{__name__}:ListHandler"}]}, "cannot be made"),
    ],
)
async def test_a_place_that_cannot_be_used_is_told_at_the_start(
    settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        async with running_federation([], launch_events=settings):
            pass


@pytest.mark.parametrize("tells_redirects", [False, True])
async def test_in_redirect_mode_the_members_tell_how_it_ended(
    alpha: FakeMember, tmp_path: Path, tells_redirects: bool
) -> None:
    file = tmp_path / "launches.jsonl"
    settings = {"file": str(file), "redirects": tells_redirects}
    async with running_federation(
        [alpha], launch_events=settings, launch={"mode": "redirect"}
    ) as federation:
        sent = await federation.client.get(f"/build/gh/{SPEC}")
        await report_full(federation, alpha)
        nowhere = await federation.client.get(f"/build/gh/{SPEC}")
    *sent_lines, failure = lines_of(file)

    assert (sent.status_code, nowhere.status_code) == (307, 429)
    assert [line["status"] for line in sent_lines] == ["success"] * tells_redirects
    assert (failure["status"], failure["code"]) == ("failure", "pod_quota")


async def test_a_launch_that_another_replica_goes_on_with_leaves_its_line_there(
    alpha: FakeMember, redis_server: RedisServer, tmp_path: Path
) -> None:
    redis = {"url": redis_server.url, "prefix": fresh(redis_server).prefix}
    files = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    alpha.hold(Phase.BUILT)
    async with AsyncExitStack() as stack:
        first_stack = await stack.enter_async_context(AsyncExitStack())
        one, two = [
            await each.enter_async_context(
                running_federation([alpha], redis=redis, launch_events={"file": str(file)})
            )
            for each, file in zip((first_stack, stack), files, strict=True)
        ]
        cut = await one.launch(most_events=3)
        await first_stack.aclose()
        headers = {"Last-Event-ID": cut.ids[-1]}
        async with asyncio.TaskGroup() as group:
            following = group.create_task(two.launch(headers=headers))
            alpha.go_on()
        assert (await following).last.phase is Phase.READY
    written = [lines_of(file) for file in files]

    assert [len(lines) for lines in written] == [0, 1]
    assert written[1][0]["status"] == "success"
