"""repo2docker's engine, with a say in what becomes of the image and in who survives whom.

repo2docker loads an image only when it also runs it. Here an image that is not pushed
is always loaded, whatever driver buildx has. Everything that builds ends with this
process. The command line is made in `buildx.py`.
"""

import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import IO, Any

from repo2docker.docker import DockerEngine
from repo2docker.utils import execute_cmd

from binder_federation.cluster_agent.stacks.repo2docker.buildx import buildx_arguments
from binder_federation.runtime.processes import die_with_parent


class LoadingEngine(DockerEngine):  # type: ignore[misc] # the library has no types
    """Docker with buildx. `builder`, `is_pushed`: see `buildx_arguments`."""

    def __init__(self, *, parent: Any, builder: str, is_pushed: bool) -> None:
        super().__init__(parent=parent)
        self.builder = builder
        self.is_pushed = is_pushed

    @property
    def container_cli(self) -> str:
        """`docker`; `podman` where the engine's socket is Podman's."""
        return "podman" if "podman" in os.environ.get("DOCKER_HOST", "") else "docker"

    def build(
        self,
        *,
        fileobj: IO[bytes] | None = None,
        path: str = "",
        tag: str = "",
        dockerfile: str = "",
        buildargs: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        cache_from: Sequence[str] | None = None,
        platform: str | None = None,
        **_others: Any,
    ) -> Iterator[str]:
        """Build and yield the tool's lines; raises `CalledProcessError` when it failed."""
        with tempfile.TemporaryDirectory() as unpacked:
            if fileobj is not None:
                with tarfile.open(fileobj=fileobj) as archive:
                    archive.extractall(unpacked, filter="fully_trusted")  # noqa: S202 - repo2docker's own
            arguments = buildx_arguments(
                context=path if fileobj is None else unpacked,
                tag=tag,
                is_pushed=self.is_pushed,
                builder=self.builder,
                dockerfile=dockerfile,
                platform=platform or "",
                buildargs=buildargs,
                labels=labels,
                cache_from=cache_from or (),
                extra=self.extra_buildx_build_args,
            )
            yield from execute_cmd(
                [self.container_cli, *arguments],
                capture=True,
                stdin=subprocess.DEVNULL,
                preexec_fn=partial(die_with_parent, os.getpid()),
            )

    def inspect_image(self, image: str) -> None:
        """None: whether there is such an image is asked before a build is ordered."""
