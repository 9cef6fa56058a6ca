"""Names that are made from a repository's: readable for operators, plain for machines."""

import re

from binder_federation.binder.spec import LaunchSpec

SUFFIX_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
SUFFIX_LENGTH = 8
MAX_PREFIX_LENGTH = 32


def user_name(spec: LaunchSpec, suffix: str) -> str:
    """`owner-name-x7k2m9qa`: the repository's slug and `suffix`, not to be guessed.

    The same in a URL, in a file name and in a DNS label (at most 41 characters).
    """
    return f"{repository_slug(spec.repository, MAX_PREFIX_LENGTH)}-{suffix}"


def repository_slug(repository: str, max_length: int) -> str:
    """`owner-name`: the repository's last two path parts, in `a-z`, `0-9` and `-`.

    At most `max_length` characters, of which the last ones are kept; neither empty,
    nor with a `-` at either end.
    """
    path = re.sub(r"^[a-z+]+://[^/]*/", "", repository.lower())
    parts = [part for part in path.removesuffix(".git").split("/") if part]
    slug = re.sub(r"[^a-z0-9]+", "-", "-".join(parts[-2:]))
    return slug[-max_length:].strip("-") or "repository"
