"""What a registry says of an image: manifests of both kinds, their lists, the config.

A tag points at a manifest (OCI's or Docker's schema 2: one image) or at a list of
them (OCI's index, Docker's manifest list: one per platform, and what buildx attests).
https://github.com/opencontainers/image-spec/blob/main/manifest.md
https://github.com/opencontainers/image-spec/blob/main/image-index.md
https://github.com/opencontainers/image-spec/blob/main/config.md
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from binder_federation.cluster_agent.registry.errors import ImageUnreadable

IMAGE_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
LIST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
ACCEPT = ", ".join(IMAGE_TYPES + LIST_TYPES)
ATTESTATION = "vnd.docker.reference.type"

Digest = Annotated[str, Field(pattern=r"^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}$")]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Platform(_Model):
    """What an image runs on."""

    architecture: str = ""
    os: str = ""


class Descriptor(_Model):
    """One thing in the registry, by its content."""

    digest: Digest
    size: Annotated[int, Field(ge=0)]
    platform: Platform | None = None
    annotations: dict[str, str] | None = None


class ImageManifest(_Model):
    """One image: its config and its layers."""

    config: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def size_bytes(self) -> int:
        """What is pulled where nothing of it is yet (compressed)."""
        return self.config.size + sum(layer.size for layer in self.layers)


class ImageIndex(_Model):
    """Several images under one name."""

    manifests: tuple[Descriptor, ...]


class _ContainerConfig(_Model):
    labels: Annotated[dict[str, str] | None, Field(alias="Labels")] = None


class _ConfigBlob(_Model):
    created: datetime | None = None
    config: _ContainerConfig | None = None


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What is read of an image's config."""

    labels: Mapping[str, str]
    created: datetime | None


def read_manifest(body: bytes) -> ImageManifest | ImageIndex:
    """The manifest in an answer. Raises `ImageUnreadable`.

    Its fields tell the kind: the content type is missing or wrong at some registries.
    """
    try:
        content = json.loads(body)
        kind = ImageIndex if "manifests" in content else ImageManifest
        return kind.model_validate(content)
    except (ValueError, TypeError) as error:
        raise ImageUnreadable(
            "The image's manifest is of a kind that is not known here."
        ) from error


def choose_platform(manifests: Sequence[Descriptor], *, architecture: str = "amd64") -> Descriptor:
    """The image for Linux and `architecture`, or the only one that there is.

    Raises `ImageUnreadable` when none of several fits.
    """
    images = [one for one in manifests if ATTESTATION not in (one.annotations or {})]
    wanted = Platform(os="linux", architecture=architecture)
    fitting = [one for one in images if one.platform == wanted]
    if fitting:
        return fitting[0]
    if len(images) == 1:
        return images[0]
    raise ImageUnreadable(f"The image is not made for linux/{architecture}.")


def read_config(body: bytes) -> ImageConfig:
    """The config in a blob. Raises `ImageUnreadable`."""
    try:
        blob = _ConfigBlob.model_validate_json(body)
    except ValidationError as error:
        raise ImageUnreadable("The image's config cannot be read.") from error
    labels = (blob.config.labels if blob.config else None) or {}
    return ImageConfig(labels, blob.created)
