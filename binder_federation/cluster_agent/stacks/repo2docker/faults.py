"""Whose failure it is that an image was not made: the repository's, or the member's?

Pure: the end of a tool's output goes in, an error comes out. BuildKit sums a failure up
in a last line `ERROR: failed to solve: …`; what commands of a Dockerfile printed comes
before it, in lines of its own. A repository can print whatever it likes, so only two
things are believed of a command's own output: that the disk is full, and that no name
could be resolved. Whatever is not understood after a command failed is the repository's;
whatever is not understood otherwise is the member's, and another member tries.
"""

import re

from binder_federation.binder.errors import BuildFailed, MemberBuildFailed

_NO_SPACE = re.compile(r"no space left on device|disk quota exceeded|enospc", re.IGNORECASE)
# At a line's beginning: what a command of the Dockerfile prints has a time before it.
_NO_ENGINE = re.compile(
    r"^(?:ERROR: |docker: )?(?:Cannot connect to the Docker daemon|error during connect"
    r"|permission denied while trying to connect|failed to connect to the docker API)",
    re.IGNORECASE | re.MULTILINE,
)
_NO_BUILDX = re.compile(
    r"^(?:ERROR: |docker: )?(?:'buildx' is not a docker command|unknown command: docker buildx"
    r"|unknown flag: --progress|.*buildx component is missing|no program named docker)",
    re.IGNORECASE | re.MULTILINE,
)
_BAD_ARGUMENT = re.compile(r"^unknown (?:shorthand )?flag|^invalid argument", re.MULTILINE)
_ENGINE_GONE = re.compile(
    r"code = Unavailable|error reading from server|connection reset by peer|unexpected EOF"
    r"|transport is closing|context canceled|graceful_stop|failed to receive status"
    r"|no active session|failed to find driver|failed to boot builder|no builder .* found",
    re.IGNORECASE,
)
_SUMMARY = re.compile(r"^ERROR: (.*)", re.MULTILINE)
_STEP = re.compile(
    r"executor failed running|process \"?.*\"? did not complete successfully"
    r"|returned a non-zero code|did not complete successfully: exit code",
    re.DOTALL,
)
_EXIT_CODE = re.compile(r"exit code: (\d+)\s*$")
_KILLED = (137, 9)
_OUT_OF_MEMORY = re.compile(r"cannot allocate memory|out of memory|oom.?kill", re.IGNORECASE)
_UNRESOLVED = re.compile(
    r"Temporary failure (?:in name resolution|resolving)|\[Errno -3\]|EAI_AGAIN"
    r"|HTTP 000 CONNECTION FAILED",
)
_DOCKERFILE = re.compile(
    r"dockerfile parse error|Dockerfile cannot be empty|failed to parse|unknown instruction"
    r"|failed to read dockerfile|no build stage in current context|failed to process"
    r"|file with no instructions|base name .* should not be blank|invalid reference format"
    r"|circular dependency|no such stage|target stage|invalid (?:from|mount|user)|unsupported"
    r"|(?:more than one|requires .* arguments?)|unknown flag: (?!--progress)",
    re.IGNORECASE,
)
_COPY = re.compile(
    r"failed to (?:compute cache key|calculate checksum of ref)|failed to walk|lstat .*no such file"
    r"|forbidden path outside the build context|too many symlinks|cannot copy to non-directory",
    re.IGNORECASE,
)
_NOT_GIVEN = re.compile(r"secret \S+ not found|unset ssh forward key", re.IGNORECASE)
_ADDED_URL = re.compile(
    r"failed to load cache key: (?:Get|Head) \"https?://|invalid response status"
)
_NETWORK = re.compile(
    r"dial tcp|no such host|i/o timeout|TLS handshake|connection refused|network is unreachable"
    r"|deadline exceeded|Client\.Timeout|x509:|proxyconnect|server misbehaving",
    re.IGNORECASE,
)
_LIMITED = re.compile(r"toomanyrequests|429 Too Many Requests|rate limit", re.IGNORECASE)
_SERVER_ERROR = re.compile(
    r"unexpected status(?: code)?:? .*\b5\d\d\b|\b50[0234] |response status 5\d\d"
)
_DENIED = re.compile(
    r"denied|unauthorized|authorization failed|no basic auth credentials|\b40[13]\b",
    re.IGNORECASE,
)
_NO_IMAGE = re.compile(
    r"not found|pull access denied|manifest unknown|repository does not exist|name unknown"
    r"|no match for platform|insufficient_scope|403 Forbidden|401 Unauthorized",
    re.IGNORECASE,
)
_PUSHING = re.compile(r"failed to push|pushing (?:layers|manifest)", re.IGNORECASE)
_METADATA = re.compile(r"\[(?:[\w-]+ )?internal\] load metadata for (\S+?):?\s*$", re.MULTILINE)
_COPIED_FROM = re.compile(r"^ > (?:\[[^\]]*\] )?FROM (\S+?):\s*$", re.MULTILINE)
"""What failed was an image that the Dockerfile copies from."""


def explain_build_failure(
    tail: str, *, base_image: str = "", was_killed: bool = False
) -> BuildFailed | MemberBuildFailed:
    """The error for a build whose output ended with `tail`.

    `base_image` is the operator's: that it cannot be had is not the repository's fault.
    `was_killed`: the process that ran the build was ended by somebody else.
    """
    found = _SUMMARY.findall(tail)
    summary = found[-1] if found else ""
    if _NO_SPACE.search(tail):
        return disk_full()
    if was_killed:
        return MemberBuildFailed("The build was killed; the member may be out of memory.")
    if error := _tools(tail):
        return error
    if _STEP.search(summary):
        return _step(summary, tail)
    if _PUSHING.search(summary):
        return explain_push_failure(summary)
    if _COPY.search(summary):
        return BuildFailed("The Dockerfile copies a file that is not there; the log says which.")
    if missing := _outside(summary):
        return missing
    if _DOCKERFILE.search(summary):
        return BuildFailed("The Dockerfile cannot be understood; the log says where.")
    return _base_image(summary, tail, base_image) or _engine(summary)


def explain_push_failure(message: str) -> MemberBuildFailed:
    """The error for a push that the registry, or the way to it, ended with `message`."""
    if _NO_SPACE.search(message):
        return MemberBuildFailed("The member's disk, or its registry's, is full.")
    if _LIMITED.search(message):
        return MemberBuildFailed("The member's registry takes no more images just now.")
    if _NETWORK.search(message):
        return MemberBuildFailed("The member's registry cannot be reached.")
    if _DENIED.search(message):
        return MemberBuildFailed(
            "The member's registry does not accept its images.",
            advice="Its operator checks the credentials and the repository's name.",
        )
    return MemberBuildFailed("The image could not be pushed to the member's registry.")


def disk_full() -> MemberBuildFailed:
    """The error of a build that found no space."""
    return MemberBuildFailed("The member's disk is full.")


def engine_unreachable() -> MemberBuildFailed:
    """The error of a build that nobody took."""
    return MemberBuildFailed("The member's container engine does not answer.")


def _tools(tail: str) -> MemberBuildFailed | None:
    if _NO_ENGINE.search(tail):
        return engine_unreachable()
    if _NO_BUILDX.search(tail):
        return MemberBuildFailed("The member's container engine lacks buildx.")
    if _BAD_ARGUMENT.search(tail):
        return MemberBuildFailed(
            "The member's build settings are wrong.",
            advice="Its operator checks build.repo2docker.buildx_args.",
        )
    return None


def _step(summary: str, tail: str) -> BuildFailed | MemberBuildFailed:
    """A command of the Dockerfile failed (repo2docker's own images are Dockerfiles too)."""
    code = _EXIT_CODE.search(summary)
    if (code and int(code[1]) in _KILLED) or _OUT_OF_MEMORY.search(summary):
        return MemberBuildFailed(
            "A step of the build was killed; it may need more memory than the member gives.",
        )
    if _UNRESOLVED.search(tail):
        return MemberBuildFailed("The member's builds cannot resolve names on the internet now.")
    if "install-base-env" in summary:  # repo2docker's own, before anything of the repository's
        return MemberBuildFailed(
            "The member could not make the environment that images start with."
        )
    if "postBuild" in summary:
        return BuildFailed("The repository's `postBuild` failed; the log says why.")
    if re.search(r"\b(?:pip|mamba|conda|apt-get|install\.R|Rscript|julia)\b", summary):
        return BuildFailed(
            "What the repository asks for could not be installed; the log says why.",
        )
    return BuildFailed("A step of the build failed; the log shows which and why.")


def _outside(summary: str) -> BuildFailed | MemberBuildFailed | None:
    """Something that the Dockerfile wants from outside of the repository, other than images."""
    if _NOT_GIVEN.search(summary):
        return BuildFailed("The Dockerfile asks for a secret or a key that builds are not given.")
    if not _ADDED_URL.search(summary):
        return None
    if _NETWORK.search(summary) or _SERVER_ERROR.search(summary):
        return MemberBuildFailed(
            "The member cannot reach an address that the Dockerfile adds; the log says which."
        )
    return BuildFailed("The Dockerfile adds an address that gives nothing; the log says which.")


def _base_image(summary: str, tail: str, base_image: str) -> BuildFailed | MemberBuildFailed | None:
    """An image that a Dockerfile begins with, or copies from, could not be had."""
    names = _COPIED_FROM.findall(tail) or _METADATA.findall(tail)
    if not names and "resolve source metadata" not in summary:
        return None
    name = names[-1] if names else ""
    if _LIMITED.search(summary):
        return MemberBuildFailed("A registry gives this member no more images for now.")
    if _NETWORK.search(summary) or _SERVER_ERROR.search(summary):
        return MemberBuildFailed("The member cannot reach the registry of the base image.")
    if not _NO_IMAGE.search(summary):
        return None
    if base_image and _same_image(name, base_image):
        return MemberBuildFailed("The member's base image is missing.")
    return BuildFailed(
        "An image that the Dockerfile begins with or copies from does not exist, or is private.",
        advice="The log shows its name; check how it is spelt.",
    )


def _engine(summary: str) -> BuildFailed | MemberBuildFailed:
    if _ENGINE_GONE.search(summary):
        return MemberBuildFailed("The member's container engine stopped during the build.")
    if _NETWORK.search(summary):
        return MemberBuildFailed("The member's container engine cannot reach the network.")
    return MemberBuildFailed("The member could not build the image; the log says why.")


def _same_image(one: str, other: str) -> bool:
    return _full_name(one) == _full_name(other)


def _full_name(name: str) -> str:
    """`docker.io/library/x:latest` for `x`: how BuildKit writes a name."""
    first, slash, _ = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif not re.search(r"[.:]|^localhost$", first):
        name = f"docker.io/{name}"
    last = name.rpartition("/")[2]
    return name if re.search(r"[:@]", last) else f"{name}:latest"
