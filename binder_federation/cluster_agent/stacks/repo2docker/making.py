"""Runs repo2docker on a checkout, and tells whose failure it is when there is no image.

It runs as a process of its own (`maker.py`): so its output is a stream of lines, and
cancelling ends it, with `docker` and buildx below it, at once.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from binder_federation.binder.errors import BuildFailed, MemberBuildFailed
from binder_federation.cluster_agent.stacks.host.tool_runs import ToolResult, run_tool
from binder_federation.cluster_agent.stacks.repo2docker.buildx import BUILDER, builder_command
from binder_federation.cluster_agent.stacks.repo2docker.docker_config import (
    given_config,
    write_docker_config,
)
from binder_federation.cluster_agent.stacks.repo2docker.faults import (
    explain_build_failure,
)
from binder_federation.cluster_agent.stacks.repo2docker.links import check_links
from binder_federation.cluster_agent.stacks.repo2docker.maker_order import (
    MakerOrder,
    MakerStatus,
)
from binder_federation.cluster_agent.stacks.repo2docker.order import BuildOrder

_KEPT = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION")

CACHE_NAMESPACE = "BUILDKIT_CACHE_MOUNT_NS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """One image. `scratch` is a folder that the caller removes; `marks` are variables that
    everything below this process carries."""

    order: BuildOrder
    scratch: Path
    marks: Mapping[str, str]
    on_line: Callable[[str], None]

    async def make(self, checkout: Path) -> None:
        """Have the engine, or the registry, hold the image of `checkout`.

        Raises `BuildFailed` or `MemberBuildFailed`; `OSError` when a tool cannot be started.
        """
        check_links(checkout, self.order.subdirectory)
        write_docker_config(
            self.scratch / "docker", given=given_config(os.environ), order=self.order
        )
        for name in ("home", "tmp", "buildx"):
            (self.scratch / name).mkdir(mode=0o700)
        if self.order.buildkit_address:
            await self._make_builder()
        await self._run_maker(checkout)

    async def _make_builder(self) -> None:
        """Name the BuildKit to use, in a folder that goes with the scratch folder."""
        made = await self._run(builder_command(self.order.buildkit_address))
        if not made.is_ok:
            raise MemberBuildFailed("The member's BuildKit cannot be used; the log says why.")

    async def _run_maker(self, checkout: Path) -> None:
        order_file = self.scratch / "maker.json"
        order_file.write_text(maker_document(self.order, checkout), encoding="utf-8")
        module = __name__.rpartition(".")[0] + ".maker"
        # Neither the folder that it runs in nor -P lets a repository's `yaml.py` be imported.
        made = await self._run([sys.executable, "-P", "-m", module, str(order_file)])
        if made.status == MakerStatus.MADE:
            return
        raise self._error(made)

    def _error(self, made: ToolResult) -> BuildFailed | MemberBuildFailed:
        if made.status == MakerStatus.SETTINGS_WRONG:
            return MemberBuildFailed(
                "The member's settings of repo2docker are wrong.",
                advice="Its operator checks build.repo2docker.",
            )
        if made.status == MakerStatus.FILES_NOT_UNDERSTOOD:
            return BuildFailed(
                "The files that describe the repository's environment cannot be understood; "
                "the log says which."
            )
        return explain_build_failure(
            made.tail, base_image=self.order.base_image, was_killed=made.was_killed
        )

    async def _run(self, command: list[str]) -> ToolResult:
        return await run_tool(
            command, cwd=self.scratch, variables=self._variables(), on_line=self.on_line
        )

    def _variables(self) -> dict[str, str]:
        """What the tools see: the engine's address and nothing that they could leak."""
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        proxies = {
            name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")
        }
        return {
            **proxies,
            **kept,
            **self.marks,
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONUNBUFFERED": "1",
            "LANG": "C.UTF-8",
            "HOME": str(self.scratch / "home"),
            "TMPDIR": str(self.scratch / "tmp"),
            "DOCKER_CONFIG": str(self.scratch / "docker"),
            "BUILDX_CONFIG": str(self.scratch / "buildx"),
            "BUILDX_GIT_INFO": "false",
            # A provenance would make of each image an index of two.
            "BUILDX_NO_DEFAULT_ATTESTATIONS": "1",
            "DOCKER_CLI_HINTS": "false",
        }


def maker_document(order: BuildOrder, checkout: Path) -> str:
    """What `maker.py` is told: the order without its secrets."""
    return MakerOrder(
        folder=checkout,
        resolved_ref=order.resolved_ref,
        subdirectory=order.subdirectory.strip("/"),
        reference=order.reference,
        labels={
            **order.labels,
            "repo2docker.repo": order.source.url,
            "repo2docker.ref": order.resolved_ref,
        },
        base_image=order.base_image,
        build_args={**order.build_args, CACHE_NAMESPACE: cache_namespace(order.repository)},
        appendix=order.appendix,
        user_id=order.user_id,
        buildx_args=order.buildx_args,
        traits=order.traits,
        builder=BUILDER if order.buildkit_address else "",
        is_pushed=order.push == "buildkit",
    ).model_dump_json()


def cache_namespace(repository: str) -> str:
    """Where the repository's cache mounts (`RUN --mount=type=cache`) are, and no other's.

    What one repository writes there, another would read and run. It is a hash of the affinity key,
    so that no repository chooses it.
    https://docs.docker.com/reference/dockerfile/#buildkit-built-in-build-args
    """
    return hashlib.blake2b(repository.encode(), digest_size=12).hexdigest()
