"""Makes an image: content, environment, `postBuild`, and last its record.

Everything happens at the image's final place, which counts as an image only when
`image.json` is there; whatever goes wrong before, the folder is removed again.
"""

import asyncio
import errno
import shutil
from collections.abc import Mapping
from pathlib import Path

import structlog

from binder_federation.binder.errors import MemberBuildFailed
from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.stacks.base import BuildPlan, BuildProgress, Image
from binder_federation.cluster_agent.stacks.host.environment import (
    session_variables,
    tool_variables,
)
from binder_federation.cluster_agent.stacks.host.files import remove_tree
from binder_federation.cluster_agent.stacks.local.base_environment import BaseEnvironment
from binder_federation.cluster_agent.stacks.local.buildpack import (
    EnvironmentPlan,
    plan_environment,
)
from binder_federation.cluster_agent.stacks.local.environment_builds import EnvironmentBuild
from binder_federation.cluster_agent.stacks.local.folders import (
    ImageFolder,
    StackFolders,
)
from binder_federation.cluster_agent.stacks.local.image_record import (
    ImageRecordFile,
    write_record,
)
from binder_federation.cluster_agent.stacks.local.images import image_of
from binder_federation.cluster_agent.stacks.local.measure import (
    fetch_size,
    find_site_packages,
    find_source_paths,
)
from binder_federation.cluster_agent.stacks.local.repository_files import (
    check_includes,
    read_repository_files,
)
from binder_federation.cluster_agent.stacks.local.scripts import make_executable
from binder_federation.cluster_agent.stacks.sources.content import ContentFetcher
from binder_federation.runtime.processes import OWNER_MARK, end_marked_processes

log = structlog.get_logger(__name__)

BUILD_MARK = "BINDERFED_BUILD"
"""Everything in a build carries the image's folder in this variable."""

LEAST_FREE_BYTES = 1 << 30


class LocalBuilder:
    """The builder of the local stack."""

    def __init__(
        self,
        *,
        folders: StackFolders,
        base: BaseEnvironment,
        content: ContentFetcher,
        uv: str,
        inherited: Mapping[str, str],
        timeout_seconds: float,
        may_download_python: bool,
    ) -> None:
        self._folders = folders
        self._base = base
        self._content = content
        self._uv = uv
        self._inherited = inherited
        self._timeout_seconds = timeout_seconds
        self._may_download_python = may_download_python

    async def build(self, plan: BuildPlan, progress: BuildProgress) -> Image:
        """Make the image of `plan`, whole or not at all."""
        image = self._folders.image(plan.key)
        scratch = self._folders.building / plan.key
        try:
            async with asyncio.timeout(self._timeout_seconds):
                self._refuse_when_full()
                await asyncio.to_thread(_make_folders, image, scratch)
                return await self._build(plan, progress, image, scratch)
        except TimeoutError as error:
            raise MemberBuildFailed(
                f"The build took longer than {self._timeout_seconds:.0f} seconds."
            ) from error
        except OSError as error:
            log.warning("build_failed_here", image=plan.key, error=repr(error))
            raise MemberBuildFailed(_sentence(error)) from error
        finally:
            await end_marked_processes(BUILD_MARK, str(image.path), 0.0)
            await asyncio.to_thread(_clean_up, image, scratch)

    async def _build(
        self, plan: BuildPlan, progress: BuildProgress, image: ImageFolder, scratch: Path
    ) -> Image:
        marks = {OWNER_MARK: str(self._folders.root), BUILD_MARK: str(image.path)}
        progress.enter(Phase.FETCHING, f"Fetching {plan.spec.repository} at {plan.resolved_ref}")
        await self._content.fetch(
            plan.source, plan.resolved_ref, image.content, on_line=progress.log, marks=marks
        )
        progress.enter(Phase.BUILDING, "Reading what the repository asks for")
        environment_plan = await asyncio.to_thread(_read_plan, image)
        variables = {
            **tool_variables(self._inherited, home=image.home, temporary=scratch / "tmp"),
            **marks,
            "XDG_CACHE_HOME": str(scratch / "cache"),
        }
        await EnvironmentBuild(
            image=image,
            plan=environment_plan,
            base=self._base,
            uv=self._uv,
            tool_variables=variables,
            script_variables=self._script_variables(image, scratch) | marks,
            scratch=scratch,
            on_line=progress.log,
            may_download_python=self._may_download_python,
        ).make()
        return await self._finish(plan, environment_plan, image, variables)

    async def _finish(
        self,
        plan: BuildPlan,
        environment_plan: EnvironmentPlan,
        image: ImageFolder,
        variables: Mapping[str, str],
    ) -> Image:
        start = environment_plan.start
        command = make_executable(image.content, start) if start else []
        packages = find_site_packages(image)
        record = ImageRecordFile(
            key=plan.key,
            repository=plan.spec.affinity_key,
            resolved_ref=plan.resolved_ref,
            size_bytes=await fetch_size(image, self._base.path, variables=variables),
            site_packages=str(packages.relative_to(image.path)),
            start=start,
            start_interpreter=command[0] if len(command) > 1 else "",
            source_paths=find_source_paths(image, packages),
        )
        await asyncio.to_thread(write_record, image, record)
        return image_of(record)

    def _script_variables(self, image: ImageFolder, scratch: Path) -> dict[str, str]:
        inherited = session_variables(self._inherited, home=image.home, temporary=scratch / "tmp")
        return {
            **inherited,
            "PATH": f"{image.environment}/bin:{inherited['PATH']}",
            "VIRTUAL_ENV": str(image.environment),
            "XDG_CACHE_HOME": str(scratch / "cache"),
        }

    def _refuse_when_full(self) -> None:
        """Full disks break what runs; leave room, so that images which are here still start."""
        if shutil.disk_usage(self._folders.root).free < LEAST_FREE_BYTES:
            raise MemberBuildFailed("The member's disk is nearly full, so it builds nothing now.")


def _make_folders(image: ImageFolder, scratch: Path) -> None:
    for path in (image.path, scratch):
        remove_tree(path)
    for path in (image.path, image.home, scratch / "tmp"):
        path.mkdir(parents=True)


def _read_plan(image: ImageFolder) -> EnvironmentPlan:
    plan = plan_environment(read_repository_files(image.content))
    check_includes(image.content, plan)
    for script in filter(None, (plan.post_build, plan.start)):
        make_executable(image.content, script)  # complains now, not after a long installation
    return plan


def _clean_up(image: ImageFolder, scratch: Path) -> None:
    remove_tree(scratch)
    if not image.record.is_file():
        remove_tree(image.path)


def _sentence(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The member's disk is full."
    return "The member could not build, for a reason that its operator finds in its log."
