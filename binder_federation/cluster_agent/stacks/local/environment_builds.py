"""Makes one image's environment: a copy of the base or a fresh one, then what the
repository asks for, then its `postBuild`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from binder_federation.binder.errors import BuildFailed, MemberBuildFailed
from binder_federation.cluster_agent.stacks.host.tool_runs import OnLine, ToolResult, run_tool
from binder_federation.cluster_agent.stacks.local.base_environment import (
    BaseEnvironment,
    base_requirements,
    copy_environment,
    install_command,
    left_out,
    make_command,
)
from binder_federation.cluster_agent.stacks.local.buildpack import EnvironmentPlan
from binder_federation.cluster_agent.stacks.local.folders import ImageFolder
from binder_federation.cluster_agent.stacks.local.pythons import BASE_PYTHON, ensure_python
from binder_federation.cluster_agent.stacks.local.repository_files import write_translated
from binder_federation.cluster_agent.stacks.local.scripts import make_executable
from binder_federation.cluster_agent.stacks.local.uv_errors import (
    explain_uv_failure,
    is_unsolvable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentBuild:
    """Everything that the environment of one image is made with."""

    image: ImageFolder
    plan: EnvironmentPlan
    base: BaseEnvironment
    uv: str
    tool_variables: Mapping[str, str]
    script_variables: Mapping[str, str]
    """What the repository's own scripts see."""
    scratch: Path
    on_line: OnLine
    may_download_python: bool

    async def make(self) -> None:
        """Make it. Raises `BuildFailed`, `UnsupportedRepository` or `MemberBuildFailed`."""
        is_fresh = self.plan.python not in (None, BASE_PYTHON)
        if is_fresh:
            await self._make_fresh(self.plan.python or BASE_PYTHON)
        else:
            await self._copy_base()
        if is_fresh or self.plan.needs_install:
            await self._install()
        if self.plan.post_build:
            await self._run_post_build()

    @property
    def _may_link(self) -> bool:
        """`postBuild` may write into packages, and a file with several names changes in all."""
        return not self.plan.post_build

    async def _copy_base(self) -> None:
        copied = await copy_environment(
            self.base.path,
            self.image.environment,
            may_link=self._may_link,
            variables=self.tool_variables,
        )
        if not copied:
            raise MemberBuildFailed("The member's base environment could not be copied.")

    async def _make_fresh(self, version: str) -> None:
        self.on_line(f"{self.plan.python_file} asks for Python {version}")
        await ensure_python(
            version,
            file=self.plan.python_file,
            uv=self.uv,
            variables=self.tool_variables,
            may_download=self.may_download_python,
        )
        command = make_command(
            self.uv,
            self.image.environment,
            python=version,
            may_download=self.may_download_python,
        )
        result = await self._run_uv(command, cwd=self.scratch)
        if not result.is_ok:
            raise self._explained(result)

    async def _install(self) -> None:
        result = await self._install_with(with_floors=True)
        if is_unsolvable(result):
            self.on_line("Trying again with older versions of JupyterLab and the notebook")
            result = await self._install_with(with_floors=False)
        if not result.is_ok:
            raise self._explained(result)

    async def _install_with(self, *, with_floors: bool) -> ToolResult:
        """One resolution of what the base has and what the repository asks for."""
        named = self.plan.named_packages
        overrides = self.scratch / "overrides.txt"
        overrides.write_text("\n".join(left_out(named=named)) + "\n", encoding="utf-8")
        command = install_command(
            self.uv, self.image.environment, overrides=overrides, may_link=self._may_link
        )
        # pip looks at all indexes that a requirements file names, and repositories rely on it.
        command += ["--index-strategy", "unsafe-best-match"]
        command += base_requirements(named=named, with_floors=with_floors)
        return await self._run_uv([*command, *self._own_requirements()], cwd=self._folder)

    def _own_requirements(self) -> list[str]:
        plan = self.plan
        arguments = ["."] if plan.installs_project else []
        if not plan.requirements:
            return arguments
        file = self.image.content / plan.requirements_file
        if plan.is_translated:
            file = self.scratch / f"{file.name}.txt"
            write_translated(plan, self.image.content, file)
        return ["-r", str(file), *arguments]

    @property
    def _folder(self) -> Path:
        """Where local paths in the requirements begin: the root for pip, conda's is its file's."""
        content = self.image.content
        return (
            (content / self.plan.requirements_file).parent if self.plan.is_translated else content
        )

    async def _run_post_build(self) -> None:
        script = self.plan.post_build
        command = make_executable(self.image.content, script)
        self.on_line(f"Running {script}")
        try:
            result = await run_tool(
                command,
                cwd=self.image.content,
                variables=self.script_variables,
                on_line=self.on_line,
            )
        except OSError as error:
            raise BuildFailed(f"{script} could not be run: it is no program or script.") from error
        if result.was_killed:
            raise MemberBuildFailed(f"{script} was killed; the member may be out of memory.")
        if not result.is_ok:
            raise BuildFailed(
                f"{script} failed with exit status {result.status}.",
                advice="The end of the log shows what it said.",
            )

    async def _run_uv(self, command: Sequence[str], *, cwd: Path) -> ToolResult:
        return await run_tool(command, cwd=cwd, variables=self.tool_variables, on_line=self.on_line)

    def _explained(self, result: ToolResult) -> BuildFailed | MemberBuildFailed:
        plan = self.plan
        file = plan.requirements_file if plan.requirements else "The project itself"
        return explain_uv_failure(result, file=file, requirements=plan.requirements)
