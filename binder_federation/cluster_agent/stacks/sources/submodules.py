"""Which submodules a checkout names: read from the commit, never from files in the way.

Format: https://git-scm.com/docs/gitmodules. The text is taken from the commit itself,
so that a `.gitmodules` that is a link leads nowhere.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from binder_federation.binder.providers.git_commands import run_git

_SECONDS = 60.0
_KEY = re.compile(r"submodule\.(?P<name>.*)\.(?P<what>path|url)", re.DOTALL)
_LINK = re.compile(r"160000 commit (?P<commit>[0-9a-f]{40,64})\t(?P<path>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Submodule:
    """A repository inside a repository, at one commit. `url` may be relative."""

    path: str
    url: str
    commit: str


async def read_submodules(checkout: Path) -> list[Submodule]:
    """The submodules of `HEAD` in `checkout`; those that it gives no URL for are left out."""
    urls = await _urls_by_path(checkout)
    if not urls:
        return []
    listed = await run_git(
        ["--literal-pathspecs", "ls-tree", "-z", "HEAD", "--", *urls],
        cwd=checkout,
        deadline_seconds=_SECONDS,
    )
    links = (_LINK.fullmatch(entry) for entry in listed.output.split("\0"))
    return [
        Submodule(path=link["path"], url=urls[link["path"]], commit=link["commit"])
        for link in links
        if link and link["path"] in urls
    ]


async def _urls_by_path(checkout: Path) -> dict[str, str]:
    result = await run_git(
        ["config", "--blob", "HEAD:.gitmodules", "--list", "-z"],
        cwd=checkout,
        deadline_seconds=_SECONDS,
    )
    values: dict[str, dict[str, str]] = {}
    for entry in result.output.split("\0") if result.is_ok else ():
        key, _, value = entry.partition("\n")
        if match := _KEY.fullmatch(key):
            values.setdefault(match["name"], {})[match["what"]] = value
    return {
        found["path"].rstrip("/"): found["url"]
        for found in values.values()
        if found.get("path") and found.get("url")
    }


def absolute_url(parent: str, url: str) -> str:
    """`url` as git reads it in the repository at `parent`: `../x` is relative to it."""
    if not url.startswith(("./", "../")):
        return url
    base = parent.rstrip("/")
    while True:
        if url.startswith("./"):
            url = url.removeprefix("./")
        elif url.startswith("../"):
            url = url.removeprefix("../")
            base = _without_last(base)
        else:
            break
    separator = "" if base.endswith(":") else "/"
    return f"{base}{separator}{url}"


def _without_last(base: str) -> str:
    """`base` without its last path segment; `host:path` keeps its colon."""
    place, slash, _ = base.rpartition("/")
    if slash and not place.endswith("/"):  # not the slashes of `https://`
        return place
    place, colon, _ = base.rpartition(":")
    return f"{place}{colon}" if colon and "//" not in base else base
