"""`image.json`: what an image is, written when everything else of it is there."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from binder_federation.cluster_agent.stacks.local.folders import ImageFolder


@dataclass(frozen=True, slots=True)
class ImageRecordFile:
    """The content of `image.json`. Paths are relative to the image's folder."""

    key: str
    repository: str
    resolved_ref: str
    size_bytes: int
    site_packages: str
    """Where its packages are: `env/lib/python3.11/site-packages`."""
    start: str = ""
    """The repository's `start` script, which wraps the server's command."""
    start_interpreter: str = ""
    """What runs it, when it does not say so itself."""
    source_paths: tuple[str, ...] = ()
    """Folders of `content` that editable installs put on the path."""


def read_record(folder: ImageFolder) -> ImageRecordFile | None:
    """The record of a whole image; None when there is none, or an older agent's."""
    try:
        body = json.loads(folder.record.read_text(encoding="utf-8"))
        return ImageRecordFile(**{**body, "source_paths": tuple(body["source_paths"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_record(folder: ImageFolder, record: ImageRecordFile) -> None:
    """Declare the image whole, in one step that a crash cannot divide."""
    draft = Path(f"{folder.record}.draft")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(asdict(record), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder.record)
