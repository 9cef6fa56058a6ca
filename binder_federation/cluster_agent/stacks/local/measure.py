"""What an image's record says about its files: how much they take, where packages are."""

from collections.abc import Mapping
from pathlib import Path

from binder_federation.binder.errors import MemberBuildFailed
from binder_federation.cluster_agent.stacks.host.tool_runs import run_tool
from binder_federation.cluster_agent.stacks.local.folders import ImageFolder


async def fetch_size(image: ImageFolder, base: Path, *, variables: Mapping[str, str]) -> int:
    """The bytes on disk of `image` that it does not share with the base environment."""
    lines: list[str] = []
    # du counts a file with several names at the first one: what the base has, at the base.
    command = ["du", "--summarize", "--block-size=1", str(base), str(image.path)]
    await run_tool(command, cwd=image.path, variables=variables, on_line=lines.append)
    for line in lines:
        size, _, path = line.partition("\t")
        if path == str(image.path) and size.isdigit():
            return int(size)
    raise MemberBuildFailed("The image's size could not be measured.")


def find_site_packages(image: ImageFolder) -> Path:
    """The folder of its environment's packages."""
    found = sorted(image.environment.glob("lib/python3.*/site-packages"))
    if not found:
        raise MemberBuildFailed("The image's environment has no packages.")
    return found[0]


def find_source_paths(image: ImageFolder, site_packages: Path) -> tuple[str, ...]:
    """Folders of the checkout that editable installs put on the path, relative to it."""
    found = []
    for path_file in sorted(site_packages.glob("*.pth")):
        for line in path_file.read_text(encoding="utf-8", errors="replace").splitlines():
            folder = Path(line.strip())
            if folder.is_absolute() and folder.is_relative_to(image.content):
                found.append(str(folder.relative_to(image.content)))
    return tuple(dict.fromkeys(found))
