"""An agent on a fake stack as a process: `python -m tests.support.run_fake_agent FILE NAME`.

`NAME` is what the stack does: `well`, `slow` (it never gets ready) or `missing`.
"""

import asyncio
import sys
from pathlib import Path

from binder_federation.cluster_agent.serve import serve
from binder_federation.cluster_agent.stacks.base import StackNotReady
from binder_federation.config.agent import AgentSettings
from binder_federation.runtime.logs import configure_logs
from tests.support.fake_stack import FakeStack


class SlowStack(FakeStack):
    """Starts for ever."""

    async def start(self) -> None:
        sys.stderr.write("starting\n")
        sys.stderr.flush()
        await asyncio.Event().wait()


class StubbornStack(FakeStack):
    """Stops for ever."""

    async def aclose(self) -> None:
        sys.stderr.write("closing\n")
        sys.stderr.flush()
        await asyncio.Event().wait()


def main() -> int:
    """Run until a signal comes."""
    configure_logs()
    ready_file, behaviour = Path(sys.argv[1]), sys.argv[2]
    kinds = {"slow": SlowStack, "stubborn": StubbornStack}
    stack = kinds.get(behaviour, FakeStack)()
    if behaviour == "missing":
        stack.start_failure = StackNotReady("The stack lacks something.")
    port = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    settings = AgentSettings(name="alpha", credential="x" * 40, port=port)
    asyncio.run(serve(settings, ready_file=ready_file, stack=stack))
    return 0


if __name__ == "__main__":
    sys.exit(main())
