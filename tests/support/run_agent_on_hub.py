"""An agent on a hub that outlives it: `python -m tests.support.run_agent_on_hub FILE HUB SETTINGS`.

`FILE` becomes the ready file, `HUB` is the URL of a `FakeHub`, `SETTINGS` are JSON. Killing
this process leaves the hub's users and servers as they are, as a crash of an agent on
Kubernetes or Docker does.
"""

import asyncio
import json
import sys
from pathlib import Path

from binder_federation.cluster_agent.serve import serve
from binder_federation.config.agent import AgentSettings
from binder_federation.runtime.logs import configure_logs
from tests.support.fake_hub import FakeHub
from tests.support.fake_stack import FakeStack


class StackOnHub(FakeStack):
    """A fake stack whose hub runs elsewhere."""

    def __init__(self, hub_url: str) -> None:
        super().__init__()
        self.hub = FakeHub()
        self.hub.url = hub_url

    async def start(self) -> None:
        """The hub is there."""

    async def aclose(self) -> None:
        """The hub stays."""


def main() -> int:
    """Run until a signal comes."""
    configure_logs()
    ready_file, hub_url, settings = sys.argv[1:]
    stack = StackOnHub(hub_url)
    asyncio.run(
        serve(AgentSettings(**json.loads(settings)), ready_file=Path(ready_file), stack=stack)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
