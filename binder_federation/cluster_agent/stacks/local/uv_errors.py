"""What a failure of uv means: is it the repository's, or the member's?

uv prints `error:` and its causes (https://docs.astral.sh/uv/reference/), which are in
the build's log already; here they become one sentence of ours. The order matters: what
says that the member is in trouble comes first, because it makes everything else fail.
"""

import re
from collections.abc import Sequence

from binder_federation.binder.errors import BuildFailed, MemberBuildFailed
from binder_federation.cluster_agent.stacks.host.tool_runs import ToolResult

_NO_SPACE = re.compile(r"No space left on device|os error 28|Disk quota exceeded")
_NO_NETWORK = re.compile(
    r"error sending request|tcp connect error|dns error|client error \(Connect\)"
    r"|operation timed out|network was disabled|connection (?:reset|closed)"
    r"|Request failed after \d+ retries|status server error|Could not resolve host",
    re.IGNORECASE,
)
_FAILED_URL = re.compile(
    r"(?:Failed to (?:fetch|download)|failed to clone)[^\n]*?`?(https?://[^`\s]+)"
)
_NOT_FOUND = re.compile(r"[Bb]ecause (\S+?)(?:\[[^\]]*\])? was not found in the package registry")
_NO_VERSION = re.compile(
    r"[Bb]ecause there (?:is|are) no versions? of (\S+?) and you require \1[ ,]"
)
_WRONG_PYTHON = re.compile(r"does not satisfy (Python[^ ,]+)|requires-python|requires (Python\S+)")
_PARSE = re.compile(
    r"Couldn't parse requirement|Error parsing included file|Unsupported requirement"
)
_BUILD = re.compile(
    r"Failed to build `([^`]+)`|[Bb]uild backend (?:returned|failed)|Failed to build"
)
_GIT = re.compile(r"Git operation failed")
_UNSOLVABLE = re.compile(r"No solution found|requirements are unsatisfiable")


def explain_uv_failure(
    result: ToolResult, *, file: str, requirements: Sequence[str]
) -> BuildFailed | MemberBuildFailed:
    """The error for a run of uv that failed on the `requirements` from `file`."""
    return _members_fault(result, requirements) or _repositorys_fault(result, file)


def is_unsolvable(result: ToolResult) -> bool:
    """Whether uv found that the requirements, all of which exist, contradict each other."""
    found = _UNSOLVABLE.search(result.tail) and not _NOT_FOUND.search(result.tail)
    return not result.is_ok and bool(found)


def _members_fault(
    result: ToolResult, requirements: Sequence[str]
) -> BuildFailed | MemberBuildFailed | None:
    if result.was_killed:
        return MemberBuildFailed("The installation was killed; the member may be out of memory.")
    if _NO_SPACE.search(result.tail):
        return MemberBuildFailed("The member's disk is full.")
    if _NO_NETWORK.search(result.tail):
        url = _FAILED_URL.search(result.tail)
        if url and any(url[1] in line for line in requirements):
            return BuildFailed(f"A requirement cannot be fetched from {url[1]}.")
        return MemberBuildFailed("The member cannot reach the package index now.")
    return None


def _repositorys_fault(result: ToolResult, file: str) -> BuildFailed | MemberBuildFailed:
    tail = result.tail
    if found := _NOT_FOUND.search(tail):
        return BuildFailed(
            f"{file} needs the package {found[1]}, which does not exist.",
            advice="Check how its name is spelt.",
        )
    if found := _NO_VERSION.search(tail):
        return BuildFailed(f"{file} needs {found[1]}, and there is no such version.")
    if found := _BUILD.search(tail):
        name = f"The package {found[1]}" if found[1] else f"A package that {file} needs"
        return BuildFailed(
            f"{name} could not be built.",
            advice="The log says why. What needs compilers or libraries of the operating system "
            "is built by members with the Docker or the Kubernetes stack.",
        )
    if _PARSE.search(tail):
        return BuildFailed(f"{file} has a line that is not a requirement; the log shows it.")
    if _UNSOLVABLE.search(tail):
        reason = (
            "need another version of Python"
            if _WRONG_PYTHON.search(tail)
            else ("contradict each other")
        )
        return BuildFailed(f"The requirements in {file} {reason}; the log says which.")
    if _GIT.search(tail):
        return BuildFailed(f"A repository that {file} names cannot be fetched; see the log.")
    if result.status == 1:
        return BuildFailed(f"What {file} asks for could not be installed; the log says why.")
    return MemberBuildFailed("The member's installer failed; the log says how.")
