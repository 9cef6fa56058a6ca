"""The project's own container image, made from this tree once for each state of its sources.

`BINDERFED_TEST_IMAGE` names one that is there already, such as one that was loaded into kind. On
an engine that has `debian-base` (an image of Debian alone) the image stands on that; elsewhere on
what the Dockerfile says. The Docker client comes from this machine where it has one.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = (
    "Dockerfile", ".dockerignore", "pyproject.toml", "constraints.txt", "README.md", "LICENSE",
)  # fmt: skip
NAME = "binderfed-test"
LOCAL_BASE = "debian-base"
CLIENT_IMAGE = f"{NAME}-client"
BUILD_SECONDS = 1200

_CLIENT = """\
FROM scratch
COPY docker /usr/local/bin/docker
COPY docker-buildx /usr/local/libexec/docker/cli-plugins/docker-buildx
"""
_PLUGIN_FOLDERS = (
    Path.home() / ".docker/cli-plugins",
    Path("/usr/local/lib/docker/cli-plugins"),
    Path("/usr/local/libexec/docker/cli-plugins"),
    Path("/usr/lib/docker/cli-plugins"),
    Path("/usr/libexec/docker/cli-plugins"),
)


class ImageNotBuilt(Exception):
    """`docker build` failed; the text has its last lines."""


def project_image() -> str:
    """The image's name on the engine; built when it is not there. Raises `ImageNotBuilt`."""
    given = os.environ.get("BINDERFED_TEST_IMAGE", "")
    if given:
        return given
    name = f"{NAME}:{_sources_hash()}"
    with _one_at_a_time():
        if not has_image(name):
            _docker_build(ROOT, name, [*_arguments(), *_secrets()])
    return name


def has_image(name: str) -> bool:
    """Whether the engine has an image of this name."""
    asked = subprocess.run(
        ["docker", "image", "inspect", name], capture_output=True, timeout=60, check=False
    )
    return asked.returncode == 0


def _sources_hash() -> str:
    code = sorted((ROOT / "binder_federation").rglob("*"))
    files = [ROOT / name for name in SOURCES]
    files += [path for path in code if path.is_file() and "__pycache__" not in path.parts]
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Several runs of the tests share an engine: the second waits for the first one's image."""
    lock = Path(tempfile.gettempdir()) / f"{NAME}-{os.getuid()}.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _arguments() -> Iterator[str]:
    yield "--network=host"
    if has_image(LOCAL_BASE):
        yield f"--build-arg=BASE_IMAGE={LOCAL_BASE}"
    docker, plugin = shutil.which("docker"), _buildx_plugin()
    if docker is not None and plugin is not None:
        yield f"--build-arg=DOCKER_CLI_IMAGE={_client_image(Path(docker), plugin)}"


def _secrets() -> Iterator[str]:
    authorities = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE", "")
    if authorities and Path(authorities).is_file():
        yield f"--secret=id=ca,src={authorities}"
    if os.environ.get("PIP_INDEX_URL"):
        yield "--secret=id=index_url,env=PIP_INDEX_URL"


def _buildx_plugin() -> Path | None:
    found = [folder / "docker-buildx" for folder in _PLUGIN_FOLDERS]
    return next((path for path in found if path.is_file()), None)


def _client_image(docker: Path, plugin: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(docker.resolve(), Path(folder) / "docker")
        shutil.copy(plugin.resolve(), Path(folder) / "docker-buildx")
        (Path(folder) / "Dockerfile").write_text(_CLIENT)
        _docker_build(Path(folder), CLIENT_IMAGE, [])
    return CLIENT_IMAGE


def _docker_build(context: Path, name: str, arguments: Sequence[str]) -> None:
    done = subprocess.run(
        ["docker", "build", "--progress=plain", f"--tag={name}", *arguments, str(context)],
        capture_output=True, text=True, timeout=BUILD_SECONDS, check=False,
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
    )  # fmt: skip
    if done.returncode != 0:
        raise ImageNotBuilt(f"{name}:\n" + "\n".join(done.stderr.splitlines()[-30:]))
