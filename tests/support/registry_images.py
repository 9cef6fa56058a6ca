"""Tiny images as a registry keeps them, made without an engine, and their upload."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

OCI = "application/vnd.oci.image.manifest.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
CREATED = "2026-01-02T03:04:05.123456789Z"

_PARTS = {
    OCI: ("application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar"),
    DOCKER: (
        "application/vnd.docker.container.image.v1+json",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ),
}


@dataclass(frozen=True)
class Manifest:
    """A manifest of any kind."""

    media_type: str
    body: bytes

    @property
    def digest(self) -> str:
        return digest_of(self.body)


@dataclass(frozen=True)
class MadeImage:
    """What has to be in a registry for a tag to be an image. `manifests` are in the order of
    their upload; the tag points at the last one."""

    manifests: tuple[Manifest, ...]
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    size_bytes: int = 0

    @property
    def top(self) -> Manifest:
        return self.manifests[-1]


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def make_image(
    labels: Mapping[str, str] | None = None,
    *,
    kind: str = OCI,
    layers: Sequence[bytes] = (b"one layer", b"another layer"),
    created: str | None = CREATED,
    architecture: str = "amd64",
) -> MadeImage:
    """An image of that kind."""
    config = {
        "created": created,
        "architecture": architecture,
        "os": "linux",
        "config": {"Labels": dict(labels) if labels is not None else None},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in layers]},
    }
    config_type, layer_type = _PARTS[kind]
    config_body = json.dumps(config).encode()
    body = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": _descriptor(config_type, config_body),
        "layers": [_descriptor(layer_type, layer) for layer in layers],
    }
    blobs = {digest_of(content): content for content in (config_body, *layers)}
    size = sum(len(content) for content in (config_body, *layers))
    return MadeImage((Manifest(kind, json.dumps(body).encode()),), blobs, size)


def make_index(
    images: Mapping[str, MadeImage], *, kind: str = OCI_INDEX, attested: bool = False
) -> MadeImage:
    """Images for several platforms (architecture → image) under one name."""
    descriptors = [
        {
            **_descriptor(image.top.media_type, image.top.body),
            "platform": {"os": "linux", "architecture": architecture},
        }
        for architecture, image in images.items()
    ]
    made = list(images.values())
    if attested:
        statement = make_image(layers=[b"in-toto"], architecture="unknown")
        made.append(statement)
        descriptors.append(
            {
                **_descriptor(statement.top.media_type, statement.top.body),
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
            }
        )
    body = {"schemaVersion": 2, "mediaType": kind, "manifests": descriptors}
    manifests = (*(image.top for image in made), Manifest(kind, json.dumps(body).encode()))
    blobs = {digest: blob for image in made for digest, blob in image.blobs.items()}
    return MadeImage(manifests, blobs)


async def upload(
    client: httpx.AsyncClient, url: str, name: str, tag: str, image: MadeImage
) -> None:
    """Push the image to a registry that is open to everybody."""
    base = f"{url}/v2/{name}"
    for digest, blob in image.blobs.items():
        begun = (await client.post(f"{base}/blobs/uploads/")).raise_for_status()
        place = httpx.URL(url).join(begun.headers["Location"]).copy_merge_params({"digest": digest})
        (await client.put(place, content=blob)).raise_for_status()
    for manifest in image.manifests:
        reference = tag if manifest is image.top else manifest.digest
        put = await client.put(
            f"{base}/manifests/{reference}",
            content=manifest.body,
            headers={"Content-Type": manifest.media_type},
        )
        put.raise_for_status()


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}
