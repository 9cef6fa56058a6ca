"""Which file of a repository a launch link opens, if a preview of it can be made. Pure."""

import posixpath
import re
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

PROVIDERS = frozenset({"gh", "gist"})
SUFFIXES = (".ipynb", ".md", ".markdown", ".rmd", ".qmd")
MOST_LENGTH = 500

# JupyterLab, the classic notebook and its successor, each with the paths that open a file.
_APPLICATIONS = re.compile(
    r"^(?:lab(?:/workspaces/[^/]+)?/tree|doc(?:/workspaces/[^/]+)?/tree|notebooks|tree|edit"
    r"|nbclassic/(?:notebooks|tree)|voila/render)/(?P<path>.+)$"
)


def preview_target(raw_path: str, query: Mapping[str, str]) -> str:
    """The file that the link `<provider>/<spec>` with this query opens, or "".

    `labpath` and `filepath` name it, `urlpath` holds it in the path of an application.
    """
    if raw_path.partition("/")[0] not in PROVIDERS:
        return ""
    named = query.get("labpath") or query.get("filepath") or _in_url(query.get("urlpath", ""))
    return clean_path(named)


def clean_path(path: str) -> str:
    """`path` inside a repository if it may be shown, else "": nothing leads out of it."""
    stripped = path.strip("/")
    is_plain = 0 < len(stripped) <= MOST_LENGTH and stripped.isprintable()
    if not is_plain or "\\" in stripped or not stripped.lower().endswith(SUFFIXES):
        return ""
    normal = posixpath.normpath(stripped)
    return "" if normal.startswith("..") or ".." in normal.split("/") else normal


def _in_url(urlpath: str) -> str:
    try:
        path = unquote(urlsplit(urlpath.lstrip("/")).path, errors="strict")
    except (ValueError, UnicodeDecodeError):
        return ""  # from a link, so from anybody
    found = _APPLICATIONS.match(path)
    return found["path"] if found else ""
