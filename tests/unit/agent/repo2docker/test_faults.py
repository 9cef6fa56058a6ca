"""What builds and pushes printed → whose fault it is. The outputs are real: of Docker 20.10 with
buildx 0.13, and of Docker 24 to 28 (`process … did not complete successfully`)."""

import pytest

from binder_federation.binder.errors import BuildFailed, MemberBuildFailed
from binder_federation.cluster_agent.stacks.repo2docker.faults import (
    explain_build_failure,
    explain_push_failure,
)

LLB = (
    "ERROR: failed to solve: rpc error: code = Unknown desc = failed to solve with frontend "
    "dockerfile.v0: failed to create LLB definition: "
)
STEP = """#5 [2/2] RUN echo hi && false
#5 0.213 hi
#5 ERROR: executor failed running [/bin/sh -c echo hi && false]: exit code: 1
------
 > [2/2] RUN echo hi && false:
0.213 hi
------
ERROR: failed to solve: executor failed running [/bin/sh -c echo hi && false]: exit code: 1"""
NEW_STEP = """#9 4.100 ERROR: No matching distribution found for nowhere==1
#9 ERROR: process "/bin/sh -c pip install -r requirements.txt" did not complete successfully: \
exit code: 1
------
Dockerfile:3
--------------------
   3 | >>> RUN pip install -r requirements.txt
--------------------
ERROR: failed to solve: process "/bin/sh -c pip install -r requirements.txt" did not complete \
successfully: exit code: 1"""
NO_BASE = f"""#3 [internal] load metadata for 127.0.0.1:5000/docker/nothing:1
#3 ERROR: 127.0.0.1:5000/docker/nothing:1: not found
------
 > [internal] load metadata for 127.0.0.1:5000/docker/nothing:1:
------
{LLB}127.0.0.1:5000/docker/nothing:1: not found"""
NEW_NO_BASE = """#2 [internal] load metadata for docker.io/library/nowhere:1
#2 ERROR: pull access denied, repository does not exist or may require authorization: \
server message: insufficient_scope: authorization failed
------
 > [internal] load metadata for docker.io/library/nowhere:1:
------
ERROR: failed to solve: nowhere:1: failed to resolve source metadata for \
docker.io/library/nowhere:1: pull access denied, repository does not exist or may require \
authorization: server message: insufficient_scope: authorization failed"""
UNREACHED = f"""#3 [internal] load metadata for docker.io/library/nowhere:1
#3 ERROR: failed to do request: Head "https://registry-1.docker.io/v2/library/nowhere": dial tcp: \
lookup registry-1.docker.io on 10.255.255.53:53: no such host
------
 > [internal] load metadata for docker.io/library/nowhere:1:
------
{LLB}failed to do request: Head "https://registry-1.docker.io/v2/library/nowhere": dial tcp: \
lookup registry-1.docker.io on 10.255.255.53:53: no such host"""
LIMITED = """ > [internal] load metadata for docker.io/library/python:3.12:
------
ERROR: failed to solve: python:3.12: failed to resolve source metadata for \
docker.io/library/python:3.12: unexpected status from HEAD request to \
https://registry-1.docker.io/v2/library/python/manifests/3.12: 429 Too Many Requests"""
COPY = 'ERROR: failed to solve: failed to compute cache key: "/missing.txt" not found: not found'
NEW_COPY = (
    "ERROR: failed to solve: failed to compute cache key: failed to calculate checksum of ref "
    'abc::def: "/missing.txt": not found'
)
PARSE = f"{LLB}dockerfile parse error line 2: unknown instruction: NONSENSE"
EMPTY = f"{LLB}the Dockerfile cannot be empty"
FULL = """#5 0.157 dd: error writing '/home/x': No space left on device
ERROR: failed to solve: executor failed running [/bin/sh -c dd]: exit code: 1"""
FULL_EXPORT = (
    "ERROR: failed to solve: failed to copy files: write /var/lib/docker/overlay2/x: "
    "no space left on device"
)
KILLED = (
    'ERROR: failed to solve: process "/bin/sh -c pip install torch" did not complete '
    "successfully: exit code: 137"
)
UNRESOLVED = """#6 1.2 Temporary failure in name resolution
ERROR: failed to solve: executor failed running [/bin/sh -c pip install x]: exit code: 1"""
NO_ENGINE = "ERROR: Cannot connect to the Docker daemon at unix:///x.sock. Is it running?"
NO_ENGINE_HOST = (
    'ERROR: error during connect: Head "http://nowhere.invalid:1/_ping": dial tcp: lookup '
    "nowhere.invalid: no such host"
)
NO_BUILDX = "docker: 'buildx' is not a docker command.\nSee 'docker --help'"
OLD_DOCKER = "unknown flag: --progress\nSee 'docker --help'."
BASE = """#14 0.260 /tmp/install-base-env.bash: line 20: wget: command not found
ERROR: failed to solve: executor failed running [/bin/sh -c TIMEFORMAT='time: %3R' bash -c \
'time /tmp/install-base-env.bash' && rm -rf /tmp/install-base-env.bash /tmp/env]: exit code: 2"""
ENGINE_GONE = "ERROR: failed to solve: rpc error: code = Unavailable desc = error reading from \
server: EOF"
BAD_ARGUMENT = "unknown flag: --nonsense\nSee 'docker buildx build --help'."
PUSH_DENIED = (
    "ERROR: failed to solve: failed to push registry.example.org/x:1: denied: requested access"
)
NO_SECRET = """#3 [internal] load metadata for docker.io/library/x:latest
------
 > [2/2] RUN --mount=type=secret,id=x,required=true cat /run/secrets/x:
------
ERROR: failed to solve: secret x not found: not found"""
NO_SSH = "ERROR: failed to solve: rpc error: code = Unknown desc = unset ssh forward key default"
ADDED = """#3 [internal] load metadata for docker.io/library/x:latest
------
 > http://example.org/x:
------
ERROR: failed to solve: failed to load cache key: """
ADD_GONE = f"{ADDED}invalid response status 404"
ADD_UNREACHED = f'{ADDED}Get "http://example.org/x": dial tcp 192.0.2.1:80: i/o timeout'
ADD_BROKEN = f"{ADDED}invalid response status 503"
NO_COPIED = """#3 [internal] load metadata for docker.io/library/base:latest
#5 ERROR: registry.example.org/nosuch/i:2: not found
------
 > FROM registry.example.org/nosuch/i:2:
------
ERROR: failed to solve: failed to load cache key: registry.example.org/nosuch/i:2: not found"""
PRETENDER = """#5 0.213 Cannot connect to the Docker daemon at unix:///x. Is the daemon running?
ERROR: failed to solve: executor failed running [/bin/sh -c docker ps]: exit code: 1"""


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        (STEP, "A step of the build failed"),
        (NEW_STEP, "could not be installed"),
        (NO_BASE, "does not exist, or is private"),
        (NEW_NO_BASE, "does not exist, or is private"),
        (COPY, "copies a file that is not there"),
        (NEW_COPY, "copies a file that is not there"),
        (PARSE, "cannot be understood"),
        (EMPTY, "cannot be understood"),
        (NO_SECRET, "secret or a key"),
        (NO_SSH, "secret or a key"),
        (ADD_GONE, "adds an address that gives nothing"),
        (NO_COPIED, "copies from does not exist, or is private"),
        (PRETENDER, "A step of the build failed"),
    ],
)
def test_the_repositorys(tail: str, words: str) -> None:
    error = explain_build_failure(tail)
    assert isinstance(error, BuildFailed), f"held to be the member's: {error}"
    assert words in error.message


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        (FULL, "disk is full"),
        (FULL_EXPORT, "disk is full"),
        (KILLED, "killed"),
        (UNRESOLVED, "cannot resolve names"),
        (BASE, "environment that images start with"),
        (NO_ENGINE, "does not answer"),
        (NO_ENGINE_HOST, "does not answer"),
        (NO_BUILDX, "lacks buildx"),
        (OLD_DOCKER, "lacks buildx"),
        (ENGINE_GONE, "stopped during the build"),
        (BAD_ARGUMENT, "settings are wrong"),
        (UNREACHED, "cannot reach the registry"),
        (LIMITED, "no more images"),
        (PUSH_DENIED, "does not accept"),
        (ADD_UNREACHED, "cannot reach an address that the Dockerfile adds"),
        (ADD_BROKEN, "cannot reach an address that the Dockerfile adds"),
        ("", "the log says why"),
    ],
)
def test_the_members(tail: str, words: str) -> None:
    error = explain_build_failure(tail)
    assert isinstance(error, MemberBuildFailed), f"held to be the repository's: {error}"
    assert words in error.message


def test_the_operators_base_image_is_not_the_repositorys_fault() -> None:
    error = explain_build_failure(NO_BASE, base_image="127.0.0.1:5000/docker/nothing:1")
    assert isinstance(error, MemberBuildFailed), error
    short = explain_build_failure(NEW_NO_BASE, base_image="nowhere:1")
    assert isinstance(short, MemberBuildFailed), "BuildKit writes a name in full"


def test_an_image_that_is_copied_from_is_not_the_operators_base_image() -> None:
    error = explain_build_failure(NO_COPIED, base_image="base")
    assert isinstance(error, BuildFailed), error


def test_a_build_that_somebody_killed_is_the_members() -> None:
    assert isinstance(explain_build_failure(STEP, was_killed=True), MemberBuildFailed)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("no basic auth credentials", "does not accept"),
        ("denied: requested access to the resource is denied", "does not accept"),
        ("unauthorized: authentication required", "does not accept"),
        ("dial tcp 127.0.0.1:5998: connect: connection refused", "cannot be reached"),
        ("toomanyrequests: slow down", "no more images just now"),
        ("write /x: no space left on device", "is full"),
        ("something else", "could not be pushed"),
        ("", "could not be pushed"),
    ],
)
def test_pushes(message: str, words: str) -> None:
    assert words in explain_push_failure(message).message
