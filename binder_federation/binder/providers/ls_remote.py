"""What `git ls-remote` says about one ref, in our words.

git's messages are for the person at the terminal, and differ by transport and
version; they are matched here (in the C locale) and never shown.
https://git-scm.com/docs/git-ls-remote
"""

import re
from collections.abc import Mapping

import structlog

from binder_federation.binder.providers.base import (
    GitSource,
    Missing,
    Resolution,
    Resolved,
    Unavailable,
)
from binder_federation.binder.providers.git_commands import GitResult, run_git
from binder_federation.binder.providers.refs import is_commit_id, looks_abbreviated

log = structlog.get_logger(__name__)

# The order matters: the first that is found in git's errors decides.
_TROUBLE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), outcome)
    for pattern, outcome in (
        (r"returned error: 429|returned error: 5\d\d", "unavailable"),
        (r"certificate|SSL|TLS", "certificate"),
        (r"timed out|timeout", "unavailable"),
        (r"could not resolve|failed to connect|couldn't connect|unable to connect", "unavailable"),
        (r"connection (refused|reset|closed)|host key verification|no route", "unavailable"),
        (r"terminal prompts disabled|authentication failed|permission denied", "private"),
        (r"returned error: 40[13]|access denied", "private"),
        (r"not found|does not exist|does not appear to be a git repository", "missing"),
        (r"is this a git repository|returned error: 4\d\d|bad line length", "missing"),
        (r"unable to update url base from redirection|redirect", "missing"),
    )
)


async def list_ref(source: GitSource, ref: str, *, deadline_seconds: float) -> Resolution:
    """Which commit `ref` stands for at `source`."""
    arguments = ["ls-remote", "--", source.url, *_candidates(ref)]
    result = await run_git(arguments, source=source, deadline_seconds=deadline_seconds)
    if result.is_timed_out:
        return Unavailable(
            f"The repository's host did not answer within {deadline_seconds:g} seconds."
        )
    if not result.is_ok:
        return _failure(result, source.url)
    commit = _choose(ref, _listed(result.output))
    if commit is not None:
        return Resolved(commit)
    return Missing("ref", _missing_sentence(ref))


def _candidates(ref: str) -> list[str]:
    """What `ref` may be short for, the best first. A tag that is an object of its own stands
    for the commit that it points to (`^{}`)."""
    if ref == "HEAD":
        return ["HEAD"]
    names = [f"refs/heads/{ref}", f"refs/tags/{ref}", f"refs/{ref}"]
    if ref.startswith("refs/"):
        names = [ref, *names]
    return [spelling for name in names for spelling in (f"{name}^{{}}", name)]


def _listed(output: str) -> dict[str, str]:
    """Name → object id."""
    rows = (line.split("\t", 1) for line in output.splitlines())
    return {row[1]: row[0].lower() for row in rows if len(row) == 2 and is_commit_id(row[0])}


def _choose(ref: str, listed: Mapping[str, str]) -> str | None:
    # ls-remote matches the ends of names, so that there may be others than those asked for.
    return next((listed[name] for name in _candidates(ref) if name in listed), None)


def _missing_sentence(ref: str) -> str:
    if ref == "HEAD":
        return "The repository is empty: it has no commit yet."
    sentence = f"The repository has no branch or tag {ref}."
    if looks_abbreviated(ref):
        sentence += " A commit must be given by its full id, of 40 digits."
    return sentence


def _failure(result: GitResult, url: str) -> Resolution:
    outcome = next((name for pattern, name in _TROUBLE if pattern.search(result.errors)), None)
    match outcome:
        case "missing":
            return Missing("repository", f"There is no git repository at {url}.")
        case "private":
            return Missing("repository", f"There is no repository at {url}, or it is private.")
        case "certificate":
            return Unavailable("The repository's host has no valid certificate.")
        case None:
            log.warning("ls_remote_failed", url=url, errors=result.errors[-500:])
    return Unavailable("The repository's host does not answer now.")
