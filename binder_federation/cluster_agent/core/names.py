"""Names of the hub's temporary users: readable for operators, not to be guessed."""

import re

from binder_federation.binder.spec import LaunchSpec

SUFFIX_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
SUFFIX_LENGTH = 8
MAX_PREFIX_LENGTH = 32


def user_name(spec: LaunchSpec, suffix: str) -> str:
    """`owner-name-x7k2m9qa`: the repository's last two path parts and `suffix`.

    Only lower-case letters, digits and `-`, so that it is the same in a URL, in
    a file name and in a DNS label (at most 41 characters).
    """
    path = re.sub(r"^[a-z+]+://[^/]*/", "", spec.repository.lower())
    parts = [part for part in path.removesuffix(".git").split("/") if part]
    slug = re.sub(r"[^a-z0-9]+", "-", "-".join(parts[-2:]))
    prefix = slug[-MAX_PREFIX_LENGTH:].strip("-") or "repository"
    return f"{prefix}-{suffix}"
