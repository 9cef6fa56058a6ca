"""Every metric and label that is asked for is one that a federation really has."""

from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from tests.monitoring.alert_cases import CASES
from tests.monitoring.queries import all_expressions, metrics_of
from tests.support.fake_member import FakeMember
from tests.support.federation_server import running_federation
from tests.support.redis_fixtures import fresh
from tests.support.redis_servers import RedisServer

FROM_PROMETHEUS = frozenset({"job", "namespace", "instance", "le"})
_PARTS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}


def known_metrics(registry: CollectorRegistry) -> dict[str, frozenset[str] | None]:
    """Names of all series that it may write, with their labels; None: it has none to show now."""
    known: dict[str, frozenset[str] | None] = {}
    labels = {
        each._name: frozenset(each._labelnames)
        for each in registry._collector_to_names
        if isinstance(each, MetricWrapperBase)
    }
    for family in registry.collect():
        found = {frozenset(sample.labels) - {"le"} for sample in family.samples}
        of_family = labels.get(family.name) or next(iter(found), None)
        if not found and family.name not in labels:
            of_family = None
        for part in _PARTS.get(family.type, ("",)):
            known[f"{family.name}{part}"] = of_family
    return known


async def _known(redis: RedisServer, folder: Path) -> dict[str, frozenset[str] | None]:
    policy = folder / "policy.yaml"
    policy.write_text("quotas: {sessions: 9}")
    member = FakeMember("alpha")
    await member.start()
    try:
        async with running_federation(
            [member], redis=fresh(redis).model_dump(), policy_file=str(policy)
        ) as federation:
            await federation.launch()
            return known_metrics(federation.context.metrics.registry)
    finally:
        await member.stop()


async def test_queries_and_cases_name_metrics_that_are_written(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    known = await _known(redis_server, tmp_path)
    asked = [(name, *each) for name, query in all_expressions() for each in metrics_of(query)]
    given = [
        (f"case of {case.alert}", *each) for case in CASES for name in case.series
        for each in metrics_of(name)
    ]  # fmt: skip
    for who, metric, labels in asked + given:
        assert metric in known, f"{who} names {metric}, which no federation writes"
        there = known[metric]
        if there is not None:
            extra = labels - there - FROM_PROMETHEUS
            assert not extra, f"{who} names labels that {metric} has not: {sorted(extra)}"
