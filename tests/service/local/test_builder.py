"""Images from real repositories, with real git and real uv."""

import asyncio
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from binder_federation.binder.errors import (
    BuildFailed,
    MemberBuildFailed,
    RefNotFound,
    RepositoryNotFound,
    UnsupportedRepository,
)
from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.stacks.base import BuildPlan, Image
from binder_federation.cluster_agent.stacks.host.tools import find_tool
from binder_federation.cluster_agent.stacks.local.base_environment import BaseEnvironment
from binder_federation.cluster_agent.stacks.local.builder import BUILD_MARK, LocalBuilder
from binder_federation.cluster_agent.stacks.local.folders import ImageFolder, StackFolders
from binder_federation.cluster_agent.stacks.local.image_record import read_record
from binder_federation.cluster_agent.stacks.sources.content import ContentFetcher
from binder_federation.runtime.processes import hold_marked_processes
from tests.support.eventually import eventually
from tests.support.git_repositories import make_repository
from tests.support.git_server import GitServer
from tests.support.local_stack import Progress, make_plan, make_settings


class Workshop:
    """A builder in a folder of its own."""

    def __init__(self, state_dir: Path, base: BaseEnvironment, client: httpx.AsyncClient) -> None:
        self.folders = StackFolders(state_dir)
        self.repositories = state_dir.parent / "repositories"
        self.progress = Progress()
        self._base = base
        providers = make_settings(state_dir).providers
        self._content = ContentFetcher(settings=providers, client=client)

    async def build(self, plan: BuildPlan, **changes: Any) -> Image:
        arguments: dict[str, Any] = {
            "folders": self.folders,
            "base": self._base,
            "content": self._content,
            "uv": find_tool("uv"),
            "inherited": os.environ,
            "timeout_seconds": 120.0,
            "may_download_python": False,
        }
        return await LocalBuilder(**{**arguments, **changes}).build(plan, self.progress)

    async def build_files(self, files: Mapping[str, str | bytes | None], **changes: Any) -> Image:
        repository = make_repository(self.repositories / str(len(self.progress.lines)), files)
        return await self.build(make_plan(repository), **changes)

    def folder(self, image: Image) -> ImageFolder:
        return self.folders.image(image.reference)

    def assert_nothing_is_left(self) -> None:
        for folder in (self.folders.images, self.folders.building):
            assert not folder.exists() or list(folder.iterdir()) == []


@pytest.fixture
async def workshop(state_dir: Path, base: BaseEnvironment) -> Any:
    async with httpx.AsyncClient() as client:
        yield Workshop(state_dir, base, client)


def python_says(folder: ImageFolder, code: str) -> str:
    """What `code` prints in the image's Python."""
    done = subprocess.run(
        [folder.environment / "bin/python", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


async def test_a_repository_without_requirements(workshop: Workshop) -> None:
    image = await workshop.build_files({"index.ipynb": "{}", "data/a.csv": "1"})
    folder = workshop.folder(image)
    assert (folder.content / "data/a.csv").read_text() == "1"
    assert (folder.content / ".git").is_dir()
    assert python_says(folder, "import jupyterlab, notebook, ipykernel, pip; print('all')") == "all"
    assert workshop.progress.phases == [Phase.FETCHING, Phase.BUILDING]
    assert 0 < image.size_bytes < 100_000_000, "what the base has is not counted"
    assert list(workshop.folders.building.iterdir()) == []


async def test_requirements_are_installed_and_the_base_stays_as_it_is(
    workshop: Workshop, base: BaseEnvironment
) -> None:
    before = listing(base.path)
    files = {
        ".binder/requirements.txt": "-r more.txt\nsix==1.16.0\n",
        ".binder/more.txt": "xlrd\n",
    }
    image = await workshop.build_files(files)
    folder = workshop.folder(image)
    assert python_says(folder, "import xlrd, six; print(six.__version__)") == "1.16.0"
    assert "+ six==1.16.0" in workshop.progress.text
    assert listing(base.path) == before


async def test_an_environment_yml_with_local_paths(workshop: Workshop) -> None:
    files = {
        "binder/environment.yml": "dependencies:\n- six=1.16\n- pip:\n  - -r pip.txt\n  - -e ..\n",
        "binder/pip.txt": "xlrd\n",
        "pyproject.toml": "[project]\nname = 'mine'\nversion = '1'\n",
        "src/mine/__init__.py": "answer = 42\n",
    }
    image = await workshop.build_files(files)
    folder = workshop.folder(image)
    code = "import six, xlrd, mine; print(six.__version__, mine.answer)"
    assert python_says(folder, code) == "1.16.0 42"
    record = read_record(folder)
    assert record is not None
    assert record.source_paths == ("src",)


async def test_the_project_itself_is_installed(workshop: Workshop) -> None:
    setup = "from setuptools import setup\nsetup(name='mine', version='2', py_modules=['mine'])\n"
    image = await workshop.build_files({"setup.py": setup, "mine.py": "answer = 42\n"})
    assert python_says(workshop.folder(image), "import mine; print(mine.answer)") == "42"


async def test_an_older_jupyterlab_is_what_the_repository_gets(workshop: Workshop) -> None:
    image = await workshop.build_files({"requirements.txt": "notebook<7\njupyterlab<4\n"})
    assert (
        python_says(workshop.folder(image), "import jupyterlab as j; print(j.__version__[0])")
        == "3"
    )


async def test_post_build_runs_in_the_environment_and_sees_no_secret(
    workshop: Workshop,
) -> None:
    script = "#!/bin/sh\npwd > place\nwhich python > python\nenv > variables\necho ~/ > home\n"
    image = await workshop.build_files(
        {"postBuild": script, "start": 'exec "$@"\n'},
        inherited={**os.environ, "BINDERFED_AGENT_CREDENTIAL": "do-not-tell"},
    )
    folder = workshop.folder(image)
    assert (folder.content / "place").read_text().strip() == str(folder.content)
    assert (folder.content / "python").read_text().strip() == f"{folder.environment}/bin/python"
    assert "do-not-tell" not in (folder.content / "variables").read_text()
    assert (folder.content / "home").read_text().strip() == f"{folder.home}/"
    record = read_record(folder)
    assert record is not None
    assert (record.start, record.start_interpreter) == ("start", "/bin/bash")


async def test_what_post_build_writes_into_packages_is_this_images_alone(
    workshop: Workshop, base: BaseEnvironment
) -> None:
    script = "#!/bin/sh\necho 'patched = 1' >> $(python -c 'import six; print(six.__file__)')\n"
    patched = await workshop.build_files({"postBuild": script})
    other = await workshop.build_files({"index.ipynb": "{}"})
    code = "import six; print(hasattr(six, 'patched'))"
    assert python_says(workshop.folder(patched), code) == "True"
    assert python_says(workshop.folder(other), code) == "False"


async def test_what_post_build_left_running_is_ended(workshop: Workshop) -> None:
    script = "#!/bin/sh\nsetsid sleep 600 >/dev/null 2>&1 &\necho begun\n"
    image = await workshop.build_files({"postBuild": script})
    assert hold_marked_processes(BUILD_MARK, str(workshop.folder(image).path)) == []


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("#!/bin/sh\necho oh no\nexit 3\n", r"postBuild failed with exit status 3"),
        ("#!/nowhere/python\n", r"'#!/nowhere/python', which is not on this member"),
        ("#!/bin/sh\r\necho hi\r\n", r"Windows line ends"),
    ],
)
async def test_a_post_build_that_fails(workshop: Workshop, script: str, sentence: str) -> None:
    with pytest.raises(BuildFailed, match=sentence):
        await workshop.build_files({"postBuild": script})
    workshop.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (
            {"requirements.txt": "binder-federation-nowhere-1\n"},
            "binder-federation-nowhere-1, which",
        ),
        ({"requirements.txt": "six==99.0\n"}, r"six==99\.0, and there is no such version"),
        ({"requirements.txt": "six and more\n"}, "a line that is not a requirement"),
        ({"requirements.txt": "six==1.15.0\nsix==1.16.0\n"}, "contradict each other"),
        ({"setup.py": "raise SystemExit('boom')\n"}, "could not be built"),
        ({"requirements.txt": "-r missing.txt\n"}, r"includes missing\.txt, which is not there"),
        ({"binder/a": "", ".binder/a": ""}, "both a `binder` and a `.binder`"),
    ],
)
async def test_the_repositorys_mistakes_are_named(
    workshop: Workshop, files: dict[str, str], sentence: str
) -> None:
    with pytest.raises(BuildFailed, match=sentence):
        await workshop.build_files(files)
    workshop.assert_nothing_is_left()


@pytest.mark.parametrize("target", ["/etc/hostname", "../../../outside.txt"])
async def test_no_file_is_read_through_a_link_that_leaves(workshop: Workshop, target: str) -> None:
    repository = make_repository(workshop.repositories / "links", {})
    (workshop.repositories / "outside.txt").write_text("six\n")
    (repository.path / "requirements.txt").symlink_to(target)
    repository.commit({"README.md": "a link"})
    with pytest.raises(BuildFailed, match=r"requirements\.txt leads out of the repository"):
        await workshop.build(make_plan(repository))


async def test_no_file_outside_is_included(workshop: Workshop) -> None:
    with pytest.raises(BuildFailed, match=r"/etc/passwd leads out of the repository"):
        await workshop.build_files({"requirements.txt": "-r /etc/passwd\n"})
    assert "root:" not in workshop.progress.text


async def test_a_python_that_the_member_lacks(workshop: Workshop) -> None:
    with pytest.raises(UnsupportedRepository, match=r"runtime\.txt asks for Python 3\.5, and this"):
        await workshop.build_files({"runtime.txt": "python-3.5"})
    workshop.assert_nothing_is_left()


async def test_a_member_without_network_is_at_fault(workshop: Workshop, tmp_path: Path) -> None:
    offline = {**os.environ, "UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "cache")}
    with pytest.raises(MemberBuildFailed, match="cannot reach the package index"):
        await workshop.build_files({"requirements.txt": "xlrd\n"}, inherited=offline)
    workshop.assert_nothing_is_left()


async def test_a_build_that_takes_too_long_is_ended(workshop: Workshop) -> None:
    with pytest.raises(MemberBuildFailed, match="longer than 2 seconds"):
        await workshop.build_files({"postBuild": "#!/bin/sh\nsleep 600\n"}, timeout_seconds=2.0)
    workshop.assert_nothing_is_left()
    assert hold_marked_processes("BINDERFED_OWNER", str(workshop.folders.root)) == []


async def test_cancelling_leaves_nothing(workshop: Workshop) -> None:
    files = {"postBuild": "#!/bin/sh\nsetsid sleep 600 &\necho begun\nsleep 600\n"}

    async def is_begun() -> bool:
        return "begun" in workshop.progress.lines

    async with asyncio.TaskGroup() as group:
        building = group.create_task(workshop.build_files(files))
        await eventually(is_begun, what="postBuild to begin", within_seconds=30)
        building.cancel()
    workshop.assert_nothing_is_left()
    assert hold_marked_processes("BINDERFED_OWNER", str(workshop.folders.root)) == []


async def test_a_commit_that_is_not_there(workshop: Workshop) -> None:
    repository = make_repository(workshop.repositories / "here")
    with pytest.raises(RefNotFound, match="has no commit 0000"):
        await workshop.build(make_plan(repository, ref="0" * 40))
    workshop.assert_nothing_is_left()


async def test_a_repository_that_is_not_there(workshop: Workshop, tmp_path: Path) -> None:
    repository = make_repository(workshop.repositories / "here")
    with pytest.raises(RepositoryNotFound):
        await workshop.build(make_plan(repository, url=(tmp_path / "gone").as_uri()))


async def test_a_server_that_gives_no_single_commits(workshop: Workshop, tmp_path: Path) -> None:
    async with GitServer(tmp_path / "served") as server:
        repository = server.create("owner/name")
        first = repository.head()
        repository.commit({"later.txt": "x"})
        repository.git("config", "uploadpack.allowAnySHA1InWant", "false")
        repository.git("config", "protocol.version", "0")
        image = await workshop.build(
            make_plan(repository, ref=first, url=f"{server.url}/owner/name")
        )
    content = workshop.folder(image).content
    assert (content / "README.md").exists()
    assert not (content / "later.txt").exists()


async def test_submodules_come_with_it_each_at_its_commit(
    workshop: Workshop, tmp_path: Path
) -> None:
    async with GitServer(tmp_path / "served") as server:
        inner = server.create("owner/inner", {"inner.txt": "deep"})
        middle = server.create("owner/middle", {"middle.txt": "old"})
        old = middle.add_submodule("deep/inner", "../inner", inner.head())
        middle.commit({"middle.txt": "new"})
        outer = server.create("owner/outer")
        outer.add_submodule("libs/middle", "../../owner/middle.git", old)
        image = await workshop.build(make_plan(outer, url=f"{server.url}/owner/outer"))
    content = workshop.folder(image).content
    assert (content / "libs/middle/middle.txt").read_text() == "old"
    assert (content / "libs/middle/deep/inner/inner.txt").read_text() == "deep"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("file:///etc", "file://"),
        ("/etc", "file://"),
        ("ext::sh -c true", "never fetched"),
        ("--upload-pack=touch /tmp/x", "begin with"),
    ],
)
async def test_a_submodules_url_is_vetted(
    workshop: Workshop, tmp_path: Path, url: str, sentence: str
) -> None:
    async with GitServer(tmp_path / "served") as server:
        outer = server.create("owner/outer")
        outer.add_submodule("stolen", url, outer.head())
        with pytest.raises(BuildFailed, match=f"The submodule stolen cannot be .*{sentence}"):
            await workshop.build(make_plan(outer, url=f"{server.url}/owner/outer"))
    workshop.assert_nothing_is_left()


async def test_hooks_and_filters_of_a_repository_do_not_run(
    workshop: Workshop, tmp_path: Path
) -> None:
    files = {".gitattributes": "*.txt filter=lfs\n", "a.txt": "version https://git-lfs\n"}
    image = await workshop.build_files(files)
    assert (workshop.folder(image).content / "a.txt").read_text().startswith("version")


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file's size and time."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            status = (Path(root) / name).lstat()
            found[f"{root}/{name}"] = (status.st_size, status.st_mtime_ns)
    return found
