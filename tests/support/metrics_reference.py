"""docs/metrics.md: every metric of both services, from the registries that they make.

`python -m tests.support.metrics_reference` writes the page; a unit test tells when that was
forgotten, and looks at every name.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import Metric
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector, CollectorRegistry

from binder_federation.cluster_agent.context import open_context as open_agent
from binder_federation.config.agent import AgentSettings
from binder_federation.config.federation import FederationSettings
from binder_federation.federation.wiring import open_context as open_federation
from tests.support.fake_stack import FakeStack

PAGE = Path(__file__).parents[2] / "docs/metrics.md"
HEAD = """<!-- The tables are made by `python -m tests.support.metrics_reference`: do not edit. -->

# Metrics

Both services answer `GET /metrics` in Prometheus' text format. What is counted is counted by each
replica for itself: add the replicas up (`sum`). What *is* just now (gauges of members, quotas)
every replica tells as it sees it: take the `max`, never the sum.

- A member has all of its states, each 0 or 1, so no panel stays green over a dead one. A member
  that is gone has no series; one whose last report is too old has none of its load.
- Labels are bounded: there is no repository, visitor or session in any. Codes that a member makes
  up end as `other`.
- `locality` and `tier` say how near the image was: `warm` (a server waited), `node`, `registry`,
  `building` (it was being built there), `none` (it had to be built).
- `binderfed_launch_duration_seconds` begins with the request and holds failed attempts as well;
  `binderfed_estimate_error_ratio` begins with the decision, as its estimate does.
- A first attempt that was enough: `outcome="ready", first_attempt="yes"`.
- With `launch.mode: redirect` the launch goes on between browser and member: there are decisions
  then, and no ends.
- `/metrics` tells nothing secret, but it tells how busy members are. Keep it from the public where
  that matters (the chart's NetworkPolicy, the reverse proxy).
"""
SKIPPED = ("process_",)


@dataclass(frozen=True)
class Described:
    """One metric."""

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str


async def describe_federation(folder: Path) -> list[Described]:
    """All that a federation can tell: with Redis, a policy file and a member of each kind."""
    policy_file = folder / "policy.yaml"
    policy_file.write_text("{}", encoding="utf-8")
    settings: dict[str, Any] = {
        "members": [{"name": "alpha", "url": "http://127.0.0.1:9", "credential": "c" * 32}],
        # Nobody listens there: what is told does not need it.
        "redis": {"url": "redis://127.0.0.1:9"},
        "policy_file": policy_file,
        "policy": {
            "quotas": {
                "sessions": 1,
                "patterns": [{"pattern": "gh/a/.*", "sessions": 1, "scope": "sum"}],
            }
        },
    }
    async with AsyncExitStack() as stack:
        context = await stack.enter_async_context(open_federation(FederationSettings(**settings)))
        return _describe(context.metrics.registry)


async def describe_agent(folder: Path) -> list[Described]:
    """All that an agent can tell."""
    settings = AgentSettings(name="alpha", credential="c" * 32, state_dir=folder)
    async with AsyncExitStack() as stack:
        context = await stack.enter_async_context(open_agent(settings, FakeStack()))
        return _describe(context.metrics.registry)


def _describe(registry: CollectorRegistry) -> list[Described]:
    found = [
        Described(_full_name(family), family.type, labels, family.documentation)
        for collector in list(registry._collector_to_names)
        for family in collector.collect()
        for labels in [_labels(collector, family)]
        if not family.name.startswith(SKIPPED)
    ]
    return sorted(found, key=lambda each: each.name)


def _full_name(family: Metric) -> str:
    return f"{family.name}_total" if family.type == "counter" else family.name


def _labels(collector: Collector, family: Metric) -> tuple[str, ...]:
    if isinstance(collector, MetricWrapperBase):
        return tuple(collector._labelnames)
    given = getattr(family, "_labelnames", ())
    return tuple(given)


def make_page() -> str:
    """The page as it should be."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        federation = asyncio.run(describe_federation(folder))
        agent = asyncio.run(describe_agent(folder))
    return "\n".join(
        [
            HEAD,
            "## Federation",
            "",
            *_table(federation),
            "",
            "`federation_…` are the metrics of mybinder.org's redirector, under its names.",
            "",
            "## Cluster agent",
            "",
            *_table(agent),
            "",
            "Besides these, both tell of their process: `process_cpu_seconds_total`,",
            "`process_resident_memory_bytes`, `process_open_fds` and the like.",
            "",
        ]
    )


def _table(metrics: Sequence[Described]) -> list[str]:
    rows = [
        f"| `{each.name}` | {each.kind} | {', '.join(f'`{one}`' for one in each.labels)} "
        f"| {each.text} |"
        for each in metrics
    ]
    return ["| name | type | labels | |", "|---|---|---|---|", *rows]


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
