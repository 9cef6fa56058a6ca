"""The static files, held in memory and named by their content.

A page links to `/static/<digest>/<name>`, where the digest is that of all files
together. It stands in the path and not in the query, because a module's relative
`import "./copy.js"` keeps the path it was loaded from and drops the query: so a
page never mixes modules of two releases, and a browser may keep every file for good.
An operator's file of the same name stands in the place of ours.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

STATIC_FOLDER = Path(__file__).parent / "static"

TEXT_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

CONTENT_TYPES = {
    **TEXT_TYPES,
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".ico": "image/vnd.microsoft.icon",
    ".woff2": "font/woff2",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One static file."""

    content: bytes
    content_type: str

    @property
    def charset(self) -> str | None:
        """What its text is encoded in, or None for a picture."""
        return "utf-8" if self.content_type in TEXT_TYPES.values() else None


@dataclass(frozen=True, slots=True)
class Assets:
    """All static files by name, and the digest of all of them."""

    files: Mapping[str, Asset]
    digest: str

    def path(self, name: str) -> str:
        """Where pages find the file `name`. KeyError if there is none: a page must not
        link to what is not there."""
        if name not in self.files:
            raise KeyError(f"There is no static file {name!r}.")
        return f"/static/{self.digest}/{name}"


def load_assets(folder: Path = STATIC_FOLDER, more: Path | None = None) -> Assets:
    """Read the static files in `folder`, and those in `more`, which come before them.

    Files of other kinds are left out. Raises `OSError` when a folder cannot be read.
    """
    files = dict(_files_in(folder))
    if more is not None:
        files |= dict(_files_in(more))
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(name.encode() + b"\0" + files[name].content + b"\0")
    return Assets(files, digest.hexdigest()[:16])


def _files_in(folder: Path) -> Iterator[tuple[str, Asset]]:
    for path in folder.iterdir():
        content_type = CONTENT_TYPES.get(path.suffix)
        if content_type is not None and path.is_file():
            yield path.name, Asset(path.read_bytes(), content_type)
