"""The process that makes images, run as the agent or a pod runs it, and what it told."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.stacks.repo2docker import runner
from binder_federation.cluster_agent.stacks.repo2docker.order import (
    BuildOrder,
    OrderedSource,
    write_order,
)
from binder_federation.cluster_agent.stacks.repo2docker.output import Line, read_line
from binder_federation.config.providers import ProviderSettings
from tests.support.git_repositories import GitRepository


def order_for(repository: GitRepository, reference: str, **changes: Any) -> BuildOrder:
    """An order to make `reference` from the newest commit of `repository`."""
    values = {
        "repository": "git/test",
        "resolved_ref": repository.head(),
        "source": OrderedSource(
            url=repository.file_url, environment={"GIT_ALLOW_PROTOCOL": "file"}
        ),
        "providers": ProviderSettings(
            trusted_prefixes=(repository.path.parent.resolve().as_uri() + "/",)
        ),
        "reference": reference,
        "timeout_seconds": 120.0,
        "push_timeout_seconds": 60.0,
        **changes,
    }
    return BuildOrder.model_validate(values)


@dataclass
class ImageBuild:
    """One run of the process. `temporary` is its TMPDIR: empty when it has cleaned up."""

    process: asyncio.subprocess.Process
    temporary: Path
    last_line_file: Path
    lines: list[Line] = field(default_factory=list)
    errors: str = ""

    @property
    def last(self) -> Line:
        return self.lines[-1]

    @property
    def text(self) -> str:
        return "\n".join(line.message for line in self.lines)

    async def read_until(self, phase: Phase, words: str = "") -> None:
        """Read its lines until one of `phase` with `words` comes."""
        assert self.process.stdout is not None
        async with asyncio.timeout(120):
            while raw := await self.process.stdout.readline():
                self.lines.append(read_line(raw.decode()))
                if self.last.phase is phase and words in self.last.message:
                    return
        raise AssertionError(f"it ended without {phase} {words!r}:\n{self.text}")

    async def finish(self) -> "ImageBuild":
        """Read to the end."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        async with asyncio.timeout(120):
            async for raw in self.process.stdout:
                self.lines.append(read_line(raw.decode()))
            self.errors = (await self.process.stderr.read()).decode()
            await self.process.wait()
        return self


@asynccontextmanager
async def image_build(
    order: BuildOrder, folder: Path, *, variables: Mapping[str, str] | None = None
) -> AsyncIterator[ImageBuild]:
    """Start the process; it has ended when this is left."""
    temporary = folder / "tmp"
    temporary.mkdir(parents=True)
    write_order(folder / "order.json", order)
    last_line = folder / "last-line"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", runner.__name__, str(folder / "order.json")),
        *("--last-line", str(last_line)),
        env={**os.environ, "TMPDIR": str(temporary), **(variables or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield ImageBuild(process, temporary, last_line)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def make_image(
    order: BuildOrder, folder: Path, *, variables: Mapping[str, str] | None = None
) -> ImageBuild:
    """Run the process to its end."""
    async with image_build(order, folder, variables=variables) as build:
        return await build.finish()
