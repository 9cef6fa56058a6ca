"""Names that are made from a repository's: readable for operators, plain for machines."""

import re

from binder_federation.binder.spec import LaunchSpec

SUFFIX_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
SUFFIX_LENGTH = 8
MAX_PREFIX_LENGTH = 32
_MAX_SERVER_NAME_LENGTH = 30
"""JupyterHub's limit since version 6."""


def user_name(spec: LaunchSpec, suffix: str) -> str:
    """`owner-name-x7k2m9qa`: the repository's slug and `suffix`, not to be guessed.

    The same in a URL, in a file name and in a DNS label (at most 41 characters).
    """
    return f"{repository_slug(spec.repository, MAX_PREFIX_LENGTH)}-{suffix}"


def is_user_of(affinity_key: str, name: str) -> bool:
    """Whether the hub's user is one whom `user_name` named for a launch of the repository."""
    slug = repository_slug(affinity_key.partition("/")[2], MAX_PREFIX_LENGTH)
    return re.fullmatch(rf"{slug}-[{SUFFIX_ALPHABET}]{{{SUFFIX_LENGTH}}}", name) is not None


def named_server(spec: LaunchSpec, suffix: str) -> str:
    """`owner-name-x7k2m9qa` for a server of a user who has several: begins with a letter, at
    most 30 characters (the rules of JupyterHub 6)."""
    slug = repository_slug(spec.repository, _MAX_SERVER_NAME_LENGTH - len(suffix) - 1)
    return f"{slug.lstrip('0123456789-') or 'repository'}-{suffix}"


def repository_slug(repository: str, max_length: int) -> str:
    """`owner-name`: the repository's last two path parts, in `a-z`, `0-9` and `-`.

    At most `max_length` characters, of which the last ones are kept; neither empty,
    nor with a `-` at either end.
    """
    path = re.sub(r"^[a-z+]+://[^/]*/", "", repository.lower())
    parts = [part for part in path.removesuffix(".git").split("/") if part]
    slug = re.sub(r"[^a-z0-9]+", "-", "-".join(parts[-2:]))
    return slug[-max_length:].strip("-") or "repository"
