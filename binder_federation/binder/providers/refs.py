"""What a ref may look like: git's own rules, as in `git help check-ref-format`.

A ref goes to `git` and into URLs, so what git would refuse is refused here, with a
sentence, before anything is asked.
"""

import re

from binder_federation.binder.errors import InvalidSpec
from binder_federation.binder.providers.text import shown

MAX_REF_LENGTH = 255
"""In bytes, as file systems and so git have it."""

_COMMIT_ID = re.compile(r"[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?")
_ABBREVIATED_COMMIT_ID = re.compile(r"[0-9a-fA-F]{7,39}")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]")
_ADVICE = "A ref is a branch, a tag, a full commit id, or HEAD for the default branch."


def is_commit_id(ref: str) -> bool:
    """A full commit id (SHA-1 or SHA-256): it stands for itself for ever."""
    return _COMMIT_ID.fullmatch(ref) is not None


def short_ref(ref: str) -> str:
    """`ref` for people: a commit id is cut to its first seven digits."""
    return f"commit {ref[:7]}" if is_commit_id(ref) else ref


def looks_abbreviated(ref: str) -> bool:
    """Could be the beginning of a commit id."""
    return _ABBREVIATED_COMMIT_ID.fullmatch(ref) is not None


def check_ref(ref: str) -> str:
    """`ref`, if git would take it as a ref; else `InvalidSpec` that says what is wrong."""
    problem = _problem(ref)
    if problem:
        raise InvalidSpec(f"The ref “{shown(ref)}” {problem}.", advice=_ADVICE)
    return ref


def _problem(ref: str) -> str:
    length = len(ref.encode())
    if length > MAX_REF_LENGTH:
        return f"is {length} bytes long; {MAX_REF_LENGTH} is the most"
    if _FORBIDDEN.search(ref) or not ref.isprintable():
        return "holds a space or another character that no ref can have"
    if ref.startswith(("-", "/")) or ref.endswith(("/", ".")):
        return "begins or ends with a character that no ref can begin or end with"
    if ".." in ref or "//" in ref or "@{" in ref or ref == "@":
        return "holds “..”, “//” or “@”, which mean something else to git"
    if any(part.startswith(".") or part.endswith(".lock") for part in ref.split("/")):
        return "has a part that begins with “.” or ends with “.lock”"
    return "" if ref else "is empty"
