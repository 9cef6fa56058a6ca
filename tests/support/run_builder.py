"""A builder in a process of its own, to be killed: `python -m tests.support.run_builder FILE`.

FILE is a JSON document with the agent's settings and the plan, as `write_task` makes it.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from binder_federation.binder.events import Phase
from binder_federation.binder.providers.base import GitSource
from binder_federation.binder.spec import ImageKey, LaunchSpec
from binder_federation.cluster_agent.registry.credentials.base import NoCredentials
from binder_federation.cluster_agent.stacks.base import BuildPlan
from binder_federation.cluster_agent.stacks.kubernetes.builder import KubernetesBuilder
from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi
from binder_federation.config.agent import AgentSettings


class Printing:
    """Shows how the build goes."""

    def enter(self, phase: Phase, message: str) -> None:
        print(phase.value, message, flush=True)  # noqa: T201

    def log(self, line: str) -> None:
        print(line, flush=True)  # noqa: T201


def write_task(path: Path, settings: AgentSettings, plan: BuildPlan) -> None:
    """Write what the process is to do. The credential is the test's own."""
    document = settings.model_dump(mode="json")
    assert settings.credential is not None
    document["credential"] = settings.credential.get_secret_value()
    path.write_text(json.dumps({"settings": document, "plan": asdict(plan)}))


async def main(path: Path) -> None:
    """Build until killed."""
    task = json.loads(path.read_text())
    settings, plan = AgentSettings.model_validate(task["settings"]), task["plan"]
    api = await KubernetesApi.open(namespace=settings.kubernetes.namespace)
    builder = KubernetesBuilder(
        api=api,
        settings=settings,
        registry=None,
        credentials=NoCredentials(),
        clock=time.monotonic,
        now=time.time,
    )
    await builder.build(
        BuildPlan(
            key=ImageKey(plan["key"]),
            spec=LaunchSpec(**plan["spec"]),
            resolved_ref=plan["resolved_ref"],
            source=GitSource(**plan["source"]),
        ),
        Printing(),
    )


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
