"""What a build's process is told: a JSON document in a file that only it can read.

The agent writes it (`write_order`, or as a Secret), `runner.py` reads it. It may hold
git's credentials; those of the registry are a Docker `config.json` in a folder of its own.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, assert_never

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from binder_federation.binder.providers.base import FileSource, GitSource, RemoteFile, Source
from binder_federation.config.providers import ProviderSettings


class OrderedSource(BaseModel):
    """Where git fetches from; see `binder.providers.base.GitSource`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["git"] = "git"
    url: str
    config: dict[str, str] = Field(default_factory=dict)
    environment: dict[str, str] = Field(default_factory=dict, repr=False)

    def as_source(self) -> Source:
        """The same, as those who fetch want it."""
        return GitSource(url=self.url, config=self.config, environment=self.environment)


class OrderedFiles(BaseModel):
    """Files to download; see `binder.providers.base.FileSource`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["files"] = "files"
    url: str
    files: tuple[RemoteFile, ...]
    origins: tuple[str, ...] = ()
    unpack: bool = False
    notes: tuple[str, ...] = ()

    def as_source(self) -> Source:
        """The same, as those who fetch want it."""
        return FileSource(
            url=self.url,
            files=self.files,
            origins=self.origins,
            unpack=self.unpack,
            notes=self.notes,
        )


def ordered(source: Source) -> OrderedSource | OrderedFiles:
    """`source` as an order has it."""
    match source:
        case GitSource():
            return OrderedSource(
                url=source.url,
                config=dict(source.config),
                environment=dict(source.environment),
            )
        case FileSource():
            return OrderedFiles.model_validate(asdict(source))
        case _:
            assert_never(source)


class BuildOrder(BaseModel):
    """One image to make."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    repository: str
    """The affinity key, for messages."""
    resolved_ref: str
    source: OrderedSource | OrderedFiles = Field(discriminator="kind")
    providers: ProviderSettings
    """The rules for addresses: of submodules, of files; and how much may be downloaded."""
    subdirectory: str = ""
    reference: str
    """The image's name and tag."""
    labels: dict[str, str] = Field(default_factory=dict)
    base_image: str = ""
    build_args: dict[str, str] = Field(default_factory=dict)
    appendix: str = ""
    user_id: Annotated[int, Field(ge=1)] = 1000
    refuse_root: bool = False
    """Whether an image whose user is root is the repository's failure: it would not start."""
    buildx_args: list[str] = Field(default_factory=list)
    traits: dict[str, dict[str, Any]] = Field(default_factory=dict)
    push: Literal["no", "engine", "buildkit"] = "no"
    """`engine`: the Docker engine pushes what it built, and tells of each layer; `buildkit`: the
    builder pushes and keeps nothing."""
    buildkit_address: str = ""
    """With `buildkit`: the builder to use, `tcp://…` or `unix://…`."""
    timeout_seconds: float
    push_timeout_seconds: float = 900.0
    push_stall_seconds: float = 120.0


def write_order(path: Path, order: BuildOrder) -> None:
    """Write `order` to a new file at `path` for this user alone."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(order_json(order), encoding="utf-8")


def order_json(order: BuildOrder) -> str:
    """The document, with its secrets: pydantic itself would write asterisks for them."""
    return json.dumps(_revealed(order.model_dump()))


def read_order(path: Path) -> BuildOrder:
    """The order at `path`; ValueError when it is none."""
    return BuildOrder.model_validate_json(path.read_bytes())


def _revealed(value: Any) -> Any:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case Mapping():
            return {name: _revealed(each) for name, each in value.items()}
        case list() | tuple():
            return [_revealed(each) for each in value]
    return value
