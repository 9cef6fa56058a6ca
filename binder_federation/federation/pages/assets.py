"""The static files, held in memory and named by their content.

A page links to `/static/<digest>/<name>`, where the digest is that of all files
together. It stands in the path and not in the query, because a module's relative
`import "./copy.js"` keeps the path it was loaded from and drops the query: so a
page never mixes modules of two releases, and a browser may keep every file for good.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

STATIC_FOLDER = Path(__file__).parent / "static"

CONTENT_TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One static file."""

    content: bytes
    content_type: str


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


def load_assets(folder: Path = STATIC_FOLDER) -> Assets:
    """Read the static files in `folder`."""
    files: dict[str, Asset] = {}
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        content_type = CONTENT_TYPES.get(path.suffix)
        if content_type is None:
            continue
        files[path.name] = Asset(path.read_bytes(), content_type)
        digest.update(path.name.encode() + b"\0" + files[path.name].content + b"\0")
    return Assets(files, digest.hexdigest()[:16])
