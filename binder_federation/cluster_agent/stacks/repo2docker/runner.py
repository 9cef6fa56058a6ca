"""Makes one image: `python -m binder_federation.cluster_agent.stacks.repo2docker.runner ORDER`.

`ORDER` is a file as `order.py` has it; what happens is told on the standard output as
`output.py` has it. The agent runs it on Docker, a pod runs it on Kubernetes. In order:
our own checkout or download, repo2docker (`making.py`), the push. Each part has a deadline; at its
end, and on SIGTERM, everything that was started is ended and the scratch folder (in
`TMPDIR`) removed. The engine is the one in `DOCKER_HOST`, the registry's login is in
the `config.json` of `DOCKER_CONFIG`.

`--last-line FILE` (`/dev/termination-log` in a pod) gets the last line too, for whoever
lost the output. The status is 0 when there is an image, 1 when not.
"""

import argparse
import asyncio
import contextlib
import errno
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from binder_federation.binder.errors import MemberBuildFailed
from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.registry.credentials.base import RegistryLogin
from binder_federation.cluster_agent.stacks.host.files import remove_tree
from binder_federation.cluster_agent.stacks.repo2docker.docker_config import (
    find_login,
    given_config,
)
from binder_federation.cluster_agent.stacks.repo2docker.faults import disk_full
from binder_federation.cluster_agent.stacks.repo2docker.making import Making
from binder_federation.cluster_agent.stacks.repo2docker.order import BuildOrder, read_order
from binder_federation.cluster_agent.stacks.repo2docker.output import write_line
from binder_federation.cluster_agent.stacks.repo2docker.pushing import (
    inspect_image,
    open_engine,
    push_image,
    refuse_root,
    remove_image,
)
from binder_federation.cluster_agent.stacks.sources.content import ContentFetcher
from binder_federation.runtime.errors import Fault, ServiceError
from binder_federation.runtime.processes import end_marked_processes

BUILD_MARK = "BINDERFED_BUILD"
"""Everything that a build started carries its scratch folder in this variable."""


class Teller:
    """Writes the lines. `last_line_file` gets the last one too."""

    def __init__(self, last_line_file: Path | None = None) -> None:
        self._last_line_file = last_line_file

    def tell(self, phase: Phase, message: str = "", **fields: object) -> None:
        """One line."""
        line = write_line(phase, message, **fields)
        if phase in (Phase.BUILT, Phase.FAILED) and self._last_line_file is not None:
            with contextlib.suppress(OSError):
                self._last_line_file.write_text(line, encoding="utf-8")
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def fail(self, error: ServiceError) -> None:
        """The last line of a build that made nothing. Whatever is not the repository's or the
        request's is the member's: another one may try."""
        is_repositorys = error.fault in (Fault.REPOSITORY, Fault.REQUEST)
        fault = Fault.REPOSITORY if is_repositorys else Fault.MEMBER
        self.tell(Phase.FAILED, error.message, fault=fault.value, advice=error.advice)


class Run:
    """One order, carried out in `scratch`."""

    def __init__(self, *, order: BuildOrder, scratch: Path, teller: Teller) -> None:
        self._order = order
        self._scratch = scratch
        self._teller = teller
        self._marks = {BUILD_MARK: str(scratch)}

    async def make(self) -> None:
        """Make the image and tell of it. Raises `ServiceError` or `OSError`."""
        seconds = self._order.timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._fetch()
                await self._build()
        except TimeoutError as error:
            raise MemberBuildFailed(f"The build took longer than {seconds:.0f} seconds.") from error
        if self._order.push == "buildkit":
            self._teller.tell(Phase.BUILT, "Built and pushed the image", size_bytes=0)
        else:
            await self._finish()

    @property
    def _checkout(self) -> Path:
        return self._scratch / "repository"

    async def _fetch(self) -> None:
        order = self._order
        self._teller.tell(Phase.FETCHING, f"Fetching {order.repository} at {order.resolved_ref}")
        async with httpx.AsyncClient(timeout=order.providers.timeout_seconds) as client:
            await ContentFetcher(settings=order.providers, client=client).fetch(
                order.source.as_source(),
                order.resolved_ref,
                self._checkout,
                on_line=lambda line: self._teller.tell(Phase.FETCHING, line),
                marks=self._marks,
            )

    async def _build(self) -> None:
        self._teller.tell(Phase.BUILDING, "Building the image")
        making = Making(
            order=self._order,
            scratch=self._scratch,
            marks=self._marks,
            on_line=lambda line: self._teller.tell(Phase.BUILDING, line),
        )
        await making.make(self._checkout)

    async def _finish(self) -> None:
        """The engine has the image: look at it, push it."""
        order = self._order
        async with open_engine() as engine:
            made = await inspect_image(engine, order.reference)
            try:
                if order.refuse_root:
                    refuse_root(made)
                digest = ""
                if order.push == "engine":
                    self._teller.tell(Phase.PUSHING, "Pushing the image")
                    digest = await push_image(
                        engine,
                        order.reference,
                        login=_find_login(order.reference),
                        timeout_seconds=order.push_timeout_seconds,
                        stall_seconds=order.push_stall_seconds,
                        on_progress=self._tell_push,
                    )
            except (ServiceError, asyncio.CancelledError):
                # A name says that an image is whole and may be launched.
                await remove_image(engine, order.reference)
                raise
        self._teller.tell(Phase.BUILT, "Built the image", size_bytes=made.size_bytes, digest=digest)

    def _tell_push(self, progress: Mapping[str, int]) -> None:
        self._teller.tell(Phase.PUSHING, progress=dict(progress))


def _find_login(reference: str) -> RegistryLogin | None:
    try:
        return find_login(given_config(os.environ), reference.rpartition(":")[0])
    except (OSError, ValueError) as error:
        raise MemberBuildFailed(
            "The member's registry credentials cannot be read.",
            advice="Its operator checks the Docker config.json that builds are given.",
        ) from error


async def run_order(order: BuildOrder, teller: Teller) -> bool:
    """Carry `order` out and tell of it; whether there is an image. Leaves nothing behind."""
    scratch = Path(tempfile.mkdtemp(prefix="binderfed-build-"))
    try:
        await Run(order=order, scratch=scratch, teller=teller).make()
    except ServiceError as error:
        teller.fail(error)
    except asyncio.CancelledError:
        teller.fail(MemberBuildFailed("The build was stopped."))
    except OSError as error:
        teller.fail(_explain(error))
    else:
        return True
    finally:
        await end_marked_processes(BUILD_MARK, str(scratch), 0.0)
        remove_tree(scratch)
    return False


def _explain(error: OSError) -> ServiceError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full()
    return MemberBuildFailed(f"The member could not build: {os.strerror(error.errno or 0)}.")


async def _run_until_told(order: BuildOrder, teller: Teller) -> bool:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - it is one
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    return await run_order(order, teller)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="runner", description="Makes one image.")
    parser.add_argument("order", type=Path, help="the order, a JSON document")
    parser.add_argument("--last-line", type=Path, metavar="FILE", help="gets the last line too")
    arguments = parser.parse_args(argv)
    teller = Teller(arguments.last_line)
    try:
        order = read_order(arguments.order)
    except (OSError, ValueError):
        # Not the reason itself: it quotes the document, which holds secrets.
        teller.fail(MemberBuildFailed("The member's agent and its builder do not fit together."))
        return 1
    return 0 if asyncio.run(_run_until_told(order, teller)) else 1


if __name__ == "__main__":
    sys.exit(main())
