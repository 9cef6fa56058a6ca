"""The contract of stacks, on a real cluster: builds are pods, and so are servers."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.stack_suite import Case, Files, StackSuite
from tests.support.git_server import GitServer
from tests.support.kubernetes_builds import engine_groups, remove_images
from tests.support.kubernetes_stack import launch_site, namespace, stack_settings
from tests.support.project_image import project_image
from tests.support.site import host_address


def dockerfile(base_image: str, *lines: str) -> Files:
    return {"Dockerfile": "\n".join([f"FROM {base_image}", *lines, ""])}


class TestKubernetesStack(StackSuite):
    """The suite."""

    @pytest.fixture
    async def case(
        self, kubeconfig: str, docker_engine: str, registry: str, base_image: str, tmp_path: Path
    ) -> AsyncIterator[Case]:
        image = await asyncio.to_thread(project_image)
        repository = f"{registry}/klaunch/{secrets.token_hex(4)}"
        async with GitServer(tmp_path / "git", host=host_address()) as git, namespace() as name:
            settings = stack_settings(
                tmp_path / "state",
                name,
                kubernetes={"build": {"image": image, "engine_groups": engine_groups()}},
                launch={"named_servers": True},
                registry={"repository": repository, "allow_delete": True, "bytes_limit": 1},
                providers={"trusted_prefixes": [f"{git.url}/"], "allow_private_addresses": True},
            )
            async with launch_site(settings) as site:
                yield Case(
                    site.stack,
                    lambda: dockerfile(base_image, "RUN false"),
                    dockerfile(base_image, "RUN echo made > /tmp/made"),
                    git,
                )
        await remove_images(repository)
