"""What the process that runs repo2docker is told, and how it ends: between `making.py` and
`maker.py`, which alone imports repo2docker."""

from enum import IntEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict


class MakerStatus(IntEnum):
    """How the process ended."""

    MADE = 0
    FILES_NOT_UNDERSTOOD = 3
    """What the repository's files ask for makes no sense to repo2docker."""
    BUILD_FAILED = 4
    """The container engine failed, or a command of the Dockerfile: the output says which."""
    SETTINGS_WRONG = 5
    """The operator's settings of repo2docker are not what it takes."""


class MakerOrder(BaseModel):
    """What this process is told; nothing of it is secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path
    resolved_ref: str
    subdirectory: str
    reference: str
    labels: dict[str, str]
    base_image: str
    build_args: dict[str, str]
    appendix: str
    user_id: int
    buildx_args: list[str]
    traits: dict[str, dict[str, Any]]
    builder: str = ""
    is_pushed: bool = False
