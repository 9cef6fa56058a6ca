"""A Docker stack in a process of its own, to be killed: starts, launches, prints, waits.

python -m tests.support.docker_stack_process <state_dir> <name> <repository>
"""

import asyncio
import json
import sys
from pathlib import Path

import httpx

from binder_federation.cluster_agent.stacks.docker.stack import DockerStack
from binder_federation.runtime.logs import configure_logs
from tests.support.docker_stack import docker_settings
from tests.support.git_repositories import GitRepository
from tests.support.local_stack import HubClient, Progress, make_plan


async def main(state_dir: Path, name: str, repository: GitRepository) -> None:
    """Run until killed; one line of JSON on stdout says that a session runs."""
    stack = DockerStack(settings=docker_settings(state_dir, name=name))
    await stack.start()
    image = await stack.builder.build(make_plan(repository), Progress())
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        session = await HubClient(stack.hub, client).launch(image.reference)
        sys.stdout.write(json.dumps({"ready": session.last_event.get("ready")}) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    configure_logs()  # standard output is for whoever started this
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], GitRepository(Path(sys.argv[3]))))
