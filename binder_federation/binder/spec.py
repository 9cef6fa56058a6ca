"""A launch spec: what somebody asked for, and the keys that follow from it.

A spec is written in a URL as `<provider>/<spec>`; the part after the provider is
in that provider's own grammar (`providers/`). Two keys are derived here, because
the federation and every member must derive the same: `affinity_key` names a
repository whatever its ref, `image_key` names an image.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import NewType

from binder_federation.binder.errors import InvalidSpec
from binder_federation.binder.known_hosts import provider_of

ImageKey = NewType("ImageKey", str)
"""32 hex digits that name an image everywhere in the federation."""

MAX_SPEC_LENGTH = 2048


@dataclass(frozen=True, slots=True)
class LaunchSpec:
    """A repository at a ref, as asked for.

    `repository` is in the provider's canonical form: `owner/name` for `gh`, a URL
    for `git`. `ref` is not resolved: a branch, a tag, `HEAD` or a commit.
    """

    provider: str
    repository: str
    ref: str

    @property
    def affinity_key(self) -> str:
        """Names the repository, whatever the ref and however it is spelt."""
        return affinity_key(self.provider, self.repository)

    def image_key(self, resolved_ref: str) -> ImageKey:
        """Names the image of this repository at `resolved_ref`."""
        return _image_key(self.affinity_key, resolved_ref)

    def at(self, ref: str) -> "LaunchSpec":
        """The same repository at another ref."""
        return LaunchSpec(self.provider, self.repository, ref)

    def named(self, repository: str) -> "LaunchSpec":
        """The same with another name of the repository; an empty one changes nothing."""
        return LaunchSpec(self.provider, repository, self.ref) if repository else self


@lru_cache(maxsize=16_384)
def affinity_key(provider: str, repository: str) -> str:
    """Provider and repository, case-folded, without a trailing `/` or `.git`; of a git URL at a
    known host that host's own (`known_hosts.py`)."""
    return "/".join(provider_of(provider, repository))


@lru_cache(maxsize=16_384)
def _image_key(affinity: str, resolved_ref: str) -> ImageKey:
    text = f"{affinity}@{resolved_ref}"
    return ImageKey(hashlib.blake2b(text.encode(), digest_size=16).hexdigest())


def split_path(raw_path: str) -> tuple[str, str]:
    """Split `<provider>/<spec>` (still percent-encoded) into its two parts.

    Raises `InvalidSpec` when either is missing, or the whole is too long.
    """
    if len(raw_path) > MAX_SPEC_LENGTH:
        raise InvalidSpec(
            f"The link is {len(raw_path):,} characters long; {MAX_SPEC_LENGTH:,} is the most.",
            advice="Check that the link was copied whole and only once.",
        )
    provider, _, spec = raw_path.partition("/")
    if not provider or not spec:
        raise InvalidSpec(
            "The link names no repository.",
            advice="A link looks like /v2/gh/owner/repository/HEAD.",
        )
    return provider, spec
