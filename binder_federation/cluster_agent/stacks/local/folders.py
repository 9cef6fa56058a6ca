"""Where the local stack keeps things: one state folder per agent, and what is in it.

An image is whole when its `image.json` is there, which is written last. Its
environment is made at its final place, because scripts and editable installs
hold absolute paths.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_IMAGE_NAME = re.compile(r"[0-9a-f]{32}")
_SESSION_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,126}")


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """The parts of one image."""

    path: Path

    @property
    def content(self) -> Path:
        """The repository's files at the resolved ref."""
        return self.path / "content"

    @property
    def environment(self) -> Path:
        """The virtual environment."""
        return self.path / "env"

    @property
    def home(self) -> Path:
        """What `postBuild` left in its home folder."""
        return self.path / "home"

    @property
    def record(self) -> Path:
        """`image.json`: the image is whole."""
        return self.path / "image.json"


@dataclass(frozen=True, slots=True)
class StackFolders:
    """The state folder of one agent (absolute)."""

    root: Path

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def building(self) -> Path:
        """Scratch space of builds, and what is about to be removed."""
        return self.root / "building"

    @property
    def sessions(self) -> Path:
        return self.root / "sessions"

    @property
    def base(self) -> Path:
        """Base environments, one for each set of requirements."""
        return self.root / "base"

    @property
    def hub(self) -> Path:
        return self.root / "hub"

    def image(self, reference: str) -> ImageFolder:
        """The folder of an image; ValueError unless `reference` is an image key."""
        if not _IMAGE_NAME.fullmatch(reference):
            raise ValueError("an image reference is 32 hexadecimal digits")
        return ImageFolder(self.images / reference)

    def session(self, machine_name: str) -> Path:
        """The folder of one server's session; ValueError for a name that could leave its place."""
        if not _SESSION_NAME.fullmatch(machine_name) or ".." in machine_name:
            raise ValueError("a session's name is made of a-z, 0-9, '.', '_' and '-'")
        return self.sessions / machine_name
