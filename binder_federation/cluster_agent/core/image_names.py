"""What images are called in a registry, and what their labels say.

All images of a member are tags of one repository (docs/decisions/0014): a tag is a
slug for people, then the image key. The key alone decides: spellings of a repository
that share a key share the tag too. What the key does not tell (whose image it is, of
which ref) stands in labels of the image's config, so a registry is all that an agent
needs to know its images.
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from binder_federation.binder.spec import ImageKey, LaunchSpec
from binder_federation.cluster_agent.core.names import repository_slug

KEY_LABEL = "org.binder-federation.key"
REPOSITORY_LABEL = "org.binder-federation.repository"
REF_LABEL = "org.binder-federation.ref"

MAX_SLUG_LENGTH = 64
MAX_TAG_LENGTH = 128
_OUR_TAG = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?-([0-9a-f]{32})")


@dataclass(frozen=True, slots=True)
class ImageLabels:
    """What an image says of itself."""

    key: ImageKey
    repository: str
    """The affinity key of its repository."""
    ref: str
    """The resolved ref that it was made from."""

    def to_mapping(self) -> dict[str, str]:
        """As labels of the image's config."""
        return {KEY_LABEL: self.key, REPOSITORY_LABEL: self.repository, REF_LABEL: self.ref}


def image_labels(spec: LaunchSpec, resolved_ref: str) -> ImageLabels:
    """The labels of the image of `spec` at `resolved_ref`."""
    return ImageLabels(spec.image_key(resolved_ref), spec.affinity_key, resolved_ref)


def read_labels(labels: Mapping[str, str]) -> ImageLabels | None:
    """What the labels say; None when it is no image of an agent."""
    key, repository = labels.get(KEY_LABEL, ""), labels.get(REPOSITORY_LABEL, "")
    if not re.fullmatch(r"[0-9a-f]{32}", key) or not repository:
        return None
    return ImageLabels(ImageKey(key), repository, labels.get(REF_LABEL, ""))


def image_tag(spec: LaunchSpec, key: ImageKey) -> str:
    """`owner-name-<key>`, at most 97 characters of `a-z`, `0-9` and `-`."""
    repository = spec.affinity_key.removeprefix(f"{spec.provider}/")
    return f"{repository_slug(repository, MAX_SLUG_LENGTH)}-{key}"


def key_in_tag(tag: str) -> ImageKey | None:
    """The key at the tag's end; None when an agent would not make such a tag."""
    match = _OUR_TAG.fullmatch(tag) if len(tag) <= MAX_TAG_LENGTH else None
    return ImageKey(match[1]) if match else None


def image_reference(repository: str, tag: str) -> str:
    """`registry.example.org/binder/images:owner-name-<key>`."""
    return f"{repository}:{tag}"
