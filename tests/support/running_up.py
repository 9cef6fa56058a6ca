"""A whole federation as a user starts it: the command's own processes, nothing in ours."""

import asyncio
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from binder_federation.binder.events import Event, Phase, StreamParser, event_from_json
from tests.support.eventually import eventually

START_SECONDS = 240.0
STOP_SECONDS = 40.0


@dataclass
class StreamSeen:
    """One launch's stream, which may still be open."""

    events: list[Event] = field(default_factory=list)
    ready_after_seconds: float = 0.0

    @property
    def last(self) -> Event:
        return self.events[-1]

    def phases(self) -> list[Phase]:
        return [event.phase for event in self.events]

    @property
    def text(self) -> str:
        return "".join(event.message for event in self.events)


@dataclass(kw_only=True)
class FederationClient:
    """Visitors and members of a running federation, by its address alone."""

    url: str = ""

    async def members(self) -> dict[str, dict[str, Any]]:
        """What the federation says of its members, by name."""
        async with httpx.AsyncClient(timeout=10) as client:
            members = (await client.get(f"{self.url}/api/members")).json()["members"]
        return {member["name"]: member for member in members}

    async def launch(self, path: str, *, query: str = "", seconds: float = 180.0) -> StreamSeen:
        """Follow a launch to its end."""
        seen = StreamSeen()
        async with asyncio.timeout(seconds):
            async for _ in self.follow(path, seen, query=query):
                pass
        return seen

    async def follow(self, path: str, seen: StreamSeen, *, query: str = "") -> AsyncIterator[Event]:
        """The events of a launch as they come, collected in `seen` as well."""
        began_at = time.monotonic()
        parser = StreamParser()
        headers = {"Accept": "text/event-stream"}
        async with (
            httpx.AsyncClient(timeout=httpx.Timeout(10, read=60)) as client,
            client.stream("GET", f"{self.url}/build/{path}{query}", headers=headers) as answer,
        ):
            async for chunk in answer.aiter_bytes():
                for message in parser.feed(chunk):
                    event = event_from_json(message.data)
                    seen.events.append(event)
                    if event.phase.is_final:
                        seen.ready_after_seconds = time.monotonic() - began_at
                    yield event
                    if event.phase.is_final:
                        return


@dataclass
class RunningUp(FederationClient):
    """The command's process, its output so far, and the federation it runs."""

    process: subprocess.Popen[bytes]
    output_file: Path
    state_dir: Path
    link: str = ""

    @property
    def output(self) -> str:
        return self.output_file.read_text(encoding="utf-8", errors="replace")

    async def wait_until_ready(self) -> None:
        """Wait for the printed link; fail with the output when it does not come."""

        async def has_link() -> bool:
            assert self.process.poll() is None, f"it ended:\n{self.output}"
            return "Stop: Ctrl-C" in self.output

        await eventually(has_link, what="the printed link", within_seconds=START_SECONDS)
        found = re.search(r"^ *Try this: +(http\S+)$", self.output, re.MULTILINE)
        assert found, f"no link was printed:\n{self.output}"
        self.link = found[1]
        self.url = self.link.partition("/v2/")[0]

    async def stop(self) -> int:
        """Ctrl-C in the terminal: SIGINT to the whole foreground group."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        return await asyncio.to_thread(self.process.wait, STOP_SECONDS)

    def agent_pid(self, name: str) -> int:
        """The process id of a member's agent, from the file that it wrote."""
        ready = json.loads((self.state_dir / "members" / name / "ready.json").read_text())
        return int(ready["pid"])


@asynccontextmanager
async def running_up(
    command: Sequence[str],
    *,
    cwd: Path,
    state_dir: Path,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[RunningUp]:
    """Run `command` (`make run …`, `binderfed up …`) until it is ready; stop it afterwards."""
    output_file = cwd / "up-output.txt"
    with output_file.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    up = RunningUp(process, output_file, state_dir)
    try:
        await up.wait_until_ready()
        yield up
    finally:
        if process.poll() is None:
            try:
                await up.stop()
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)
                raise


def git_path(url: str, ref: str = "HEAD") -> str:
    """The launch path of a repository that git can clone."""
    return f"git/{quote(url, safe='')}/{quote(ref, safe='/')}"


def processes_that_mention(text: str) -> list[str]:
    """Command lines of living processes that carry `text` in their arguments or environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if arguments and text.encode() in arguments + b" " + environment:
            found.append(f"{entry.name}: {arguments.decode(errors='replace')[:200]}")
    return found
