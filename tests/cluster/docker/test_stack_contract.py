"""The contract of stacks, on a real Docker engine."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from binder_federation.config.stacks.docker import DockerStackSettings
from tests.contract.stack_suite import Case, StackSuite
from tests.support.docker_stack import docker_settings, dockerfile, running_stack


class TestDockerStack(StackSuite):
    """The suite."""

    @pytest.fixture
    async def case(
        self, docker_engine: str, base_image: str, tmp_path: Path
    ) -> AsyncIterator[Case]:
        settings = docker_settings(
            tmp_path / "state",
            docker=DockerStackSettings(image_bytes_limit=1),
            launch={"named_servers": True},
        )
        async with running_stack(settings) as stack:
            yield Case(
                stack,
                lambda: dockerfile(base_image, "RUN false"),
                dockerfile(base_image, "RUN echo made > /tmp/made"),
            )
