"""Members whose streams were made to do harm: visitors get their notebook elsewhere."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest
from aiohttp import web

from binder_federation.binder.events import MOST_MESSAGE_BYTES, Phase
from tests.support.fake_member import FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation

READY = {"phase": "ready", "message": "ready\n", "url": "http://127.0.0.1:1/user/x/", "token": "t"}


class Liar(FakeMember):
    """Its streams are these bytes, each chunk in turn."""

    chunks: tuple[bytes, ...] = ()
    chunk_times: int = 1

    async def _build(self, request: web.Request) -> web.StreamResponse:
        path, _ = self._admit(request)
        self.paths.append(path)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for chunk in self.chunks:
            for _ in range(self.chunk_times if len(chunk) > 10_000 else 1):
                await response.write(chunk)
        await asyncio.sleep(0)
        return response


@pytest.fixture
async def liar() -> AsyncIterator[Liar]:
    member = Liar("aaa")
    await member.start()
    yield member
    await member.stop()


@pytest.fixture
async def federation(alpha: FakeMember, liar: Liar) -> AsyncIterator[FederationServer]:
    async with running_federation([alpha, liar]) as server:
        yield server


def event(**fields: Any) -> bytes:
    return data(json.dumps({"phase": "building", "message": "x\n", **fields}))


def data(text: str) -> bytes:
    return f"data: {text}\n\n".encode()


def ready(**fields: Any) -> bytes:
    body = {**READY, **fields}
    return data(json.dumps({name: value for name, value in body.items() if value is not ...}))


HOSTILE = {
    "a code that is a list": event(phase="failed", code=["a"]),
    "a code that is an object": event(phase="failed", code={"a": 1}),
    "a fault that is a list": event(phase="failed", fault=["repository"]),
    "a status that is a text": event(phase="failed", status_code="400"),
    "a status that is true": event(phase="failed", status_code=True),
    "deep nesting": data('{"phase":' + "[" * 20_000 + "]" * 20_000 + "}"),
    "a phase that is an object": event(phase={"x": 1}),
    "a message that is a list": event(message=["x"]),
    "infinity": data('{"phase": "building", "eta_seconds": Infinity}'),
    "not a number": data('{"phase": "failed", "retry_after_seconds": NaN}'),
    "a number that is too large": data('{"phase": "building", "n": 1e999}'),
    "400 digits": data('{"phase": "failed", "status_code": %s}' % ("9" * 400)),
    "ready without a URL": ready(url=...),
    "ready at null": ready(url=None),
    "ready with an empty URL": ready(url=""),
    "ready at a script": ready(url="javascript:alert(1)//"),
    "ready at a file": ready(url="file:///etc/passwd"),
    "ready without a host": ready(url="http:///user/x/"),
    "ready at somebody's password": ready(url="https://user:secret@example.org/"),
    "ready at a URL with a line break": ready(url="https://example.org/\nx"),
    "ready at a URL of 100 kB": ready(url="https://example.org/" + "x" * 3000),
    "ready with a token that is a number": ready(token=7),
    "a list": data("[1]"),
    "no JSON": data("{"),
    "many fields": event(**{f"f{number}": 1 for number in range(100)}),
    "an event of 1 MB": event(message="x" * (1 << 20)),
    "no bytes of UTF-8": b"data: \xff\xfe\n\n",
}


async def launch_everywhere(server: FederationServer, liar: Liar) -> None:
    """Launch until the liar was asked; every visitor gets a notebook."""
    for number in range(40):
        seen = await server.launch(f"gh/owner/repository-{number}/{SHA}")
        assert seen.last.phase is Phase.READY, seen.last
        assert seen.last.fields["member"] == "alpha"
        for each in seen.events:
            assert each.fields.get("fault") != "federation", "it is not our side"
            json.dumps({"m": each.message, **each.fields}, allow_nan=False).encode()
        if liar.paths:
            return
    raise AssertionError("the hostile member was never asked")


@pytest.mark.parametrize("chunk", HOSTILE.values(), ids=HOSTILE.keys())
async def test_the_launch_goes_on_elsewhere_and_the_member_is_to_blame(
    federation: FederationServer, liar: Liar, chunk: bytes
) -> None:
    liar.chunks = (chunk,)
    await launch_everywhere(federation, liar)
    metrics = (await federation.client.get("/metrics")).text
    failed = [
        line
        for line in metrics.splitlines()
        if line.startswith("binderfed_attempts_total{") and 'member="aaa"' in line
    ]
    assert failed, "it is counted"
    assert federation.context.monitor.success_share("aaa", now=federation.context.clock()) < 1


async def test_text_is_clean_and_unknown_fields_are_passed_on(
    federation: FederationServer, liar: Liar
) -> None:
    log = event(message="\x1b[2J\x00\ud800 bold\n", note="\u202e", progress={"a": {"current": 1}})
    liar.chunks = (log, ready())
    for number in range(40):
        seen = await federation.launch(f"gh/owner/repository-{number}/{SHA}")
        if liar.paths:
            break
    [told] = [each for each in seen.events if "progress" in each.fields]
    assert told.message == "\ufffd[2J\ufffd\ufffd bold\n"
    assert told.fields["note"] == "\ufffd"
    assert told.fields["progress"] == {"a": {"current": 1}}
    assert seen.last.phase is Phase.READY


@pytest.mark.parametrize(
    "chunk",
    [b"data: " + b"x" * 60_000 + b"\n", b"data:\n" * 10_000, b"x" * 60_000],
    ids=["long lines of one message", "many lines of one message", "one line without an end"],
)
async def test_a_message_without_end_fills_no_memory(
    federation: FederationServer, liar: Liar, chunk: bytes
) -> None:
    """400 MB, had anybody read them."""
    liar.chunks, liar.chunk_times = (chunk,), 400_000_000 // len(chunk)
    process = psutil.Process()
    before = process.memory_info().rss
    await launch_everywhere(federation, liar)
    assert process.memory_info().rss - before < 100 << 20


@pytest.mark.parametrize(
    "line",
    [event(message="x" * 20_000 + "\n"), event(**{f"f{n}": "x" * 8000 for n in range(7)})],
    ids=["in its messages", "in its fields"],
)
async def test_a_log_without_end_is_cut_and_the_launch_goes_on(
    federation: FederationServer, liar: Liar, line: bytes
) -> None:
    liar.chunks, liar.chunk_times = (line, ready()), 800
    for number in range(40):
        seen = await federation.launch(f"gh/owner/repository-{number}/{SHA}")
        if liar.paths:
            break
    assert seen.last.phase is Phase.READY
    assert seen.last.fields["member"] == "aaa"
    assert sum(len(each.to_json()) for each in seen.events) < 5 << 20
    assert sum("left out" in each.message for each in seen.events) == 1
    assert MOST_MESSAGE_BYTES == 64 * 1024
