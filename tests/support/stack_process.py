"""An agent's stack in a process of its own, to be killed: starts, launches, prints, waits.

python -m tests.support.stack_process <state_dir> <repository>
"""

import asyncio
import json
import sys
from pathlib import Path

import httpx

from binder_federation.cluster_agent.stacks.local.stack import LocalStack
from tests.support.git_repositories import GitRepository
from tests.support.local_stack import HubClient, Progress, make_plan, make_settings


async def main(state_dir: Path, repository: GitRepository) -> None:
    """Run until killed; one line of JSON on stdout says that a session runs."""
    stack = LocalStack(settings=make_settings(state_dir))
    await stack.start()
    image = await stack.builder.build(make_plan(repository), Progress())
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        session = await HubClient(stack.hub, client).launch(image.reference)
        line = {"ready": session.last_event.get("ready"), "user": session.user}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), GitRepository(Path(sys.argv[2]))))
