"""Docker stacks for tests: each with a member's name of its own, which is removed at its end."""

import secrets
import shutil
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from binder_federation.cluster_agent.stacks.docker.network import (
    bridge_name,
    firewall_rules,
    network_name,
)
from binder_federation.cluster_agent.stacks.docker.stack import DockerStack
from binder_federation.config.agent import AgentSettings
from tests.support.local_stack import make_settings


def docker_settings(state_dir: Path, **changes: Any) -> AgentSettings:
    """Settings of a member on Docker, with a name that no other test has."""
    values = {"name": f"test-{secrets.token_hex(4)}", "stack": "docker", **changes}
    return make_settings(state_dir, **values)


@asynccontextmanager
async def running_stack(settings: AgentSettings) -> AsyncIterator[DockerStack]:
    """The stack, started; afterwards nothing of it is left on the engine, whatever happened."""
    stack = DockerStack(settings=settings)
    try:
        await stack.start()
        yield stack
    finally:
        await stack.aclose()
        left = [*containers_of(settings), *networks_of(settings)]
        clean_engine(settings)
    assert left == [], "the stack was closed, and this is still there"


def clean_engine(settings: AgentSettings) -> None:
    """Remove what the member has on the engine, also what a stack that was killed left."""
    remove_images(settings)
    if containers := containers_of(settings):
        docker("rm", "--force", "--volumes", *containers)
    for network in networks_of(settings):
        docker("network", "rm", network)
    if shutil.which("iptables") is None:
        return
    owner = settings.state_dir.absolute()
    network = network_name(settings.docker.network, member=settings.name, owner=owner)
    for rule in firewall_rules(
        bridge_name(network),
        settings.docker.blocked_networks,
        ports=settings.docker.egress_ports,
    ):
        # Without the rule, or the rights to make one, there is nothing to remove.
        subprocess.run(
            ["iptables", "-w", "5", "-D", *rule], capture_output=True, timeout=30, check=False
        )


def remove_images(settings: AgentSettings) -> None:
    """Remove all names that the member gave to images."""
    name = settings.registry.repository or f"binderfed/{settings.name}"
    found = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", name).split()
    if found:
        docker("image", "rm", "--force", *found)


def containers_of(settings: AgentSettings) -> list[str]:
    """The names of the member's containers, also of those that ended."""
    return docker("ps", "--all", *_filters(settings), "--format", "{{.Names}}").split()


def networks_of(settings: AgentSettings) -> list[str]:
    """The names of the member's networks."""
    return docker("network", "ls", *_filters(settings), "--format", "{{.Name}}").split()


def _filters(settings: AgentSettings) -> list[str]:
    labels = {"member": settings.name, "owner": settings.state_dir.absolute()}
    return [
        f"--filter=label=org.binder-federation.{name}={value}" for name, value in labels.items()
    ]


def docker(*arguments: str) -> str:
    """What `docker …` prints; AssertionError when it fails."""
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def dockerfile(base_image: str, *lines: str) -> Mapping[str, str | bytes | None]:
    """A repository with a Dockerfile of these lines, and a notebook."""
    text = "\n".join([f"FROM {base_image}", *lines, ""])
    return {"Dockerfile": text, "index.ipynb": "{}"}
