"""A scrape as Prometheus reads it: series by name and labels, and what the rules of naming say."""

import re
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.parser import text_string_to_metric_families

_NAME = re.compile(r"(binderfed|process|python|federation)_[a-z0-9]+(_[a-z0-9]+)*")
_DERIVED_UNITS = re.compile(r"_(ms|milliseconds|minutes|hours|days|kb|mb|gb|kib|mib|percent)(_|$)")
UNBOUNDED = {"repository", "repo", "spec", "ref", "image", "session", "user", "url", "path", "ip"}
"""Labels that would have as many values as there are visitors or repositories."""

Labels = frozenset[tuple[str, str]]


class Scrape:
    """What `/metrics` answered."""

    def __init__(self, text: str) -> None:
        self.families = list(text_string_to_metric_families(text))
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        """The value of one series; None when there is none of these very labels."""
        return self._values.get((name, frozenset(labels.items())))

    def series(self, name: str) -> list[dict[str, str]]:
        """The labels of all series of that name."""
        return [dict(labels) for each, labels in self._values if each == name]

    def about(self, member: str) -> list[str]:
        """The names of all series of one member."""
        return sorted({name for name, labels in self._values if ("member", member) in labels})


def naming_problems(families: Iterable[Metric]) -> list[str]:
    """What is against https://prometheus.io/docs/practices/naming in these metrics.

    The names of mybinder.org's redirector (`federation_…`) are not ours to choose.
    """
    return [
        f"{family.name}: {problem}"
        for family in families
        for problem in _problems(family)
        if not family.name.startswith(("federation_", "process_"))
    ]


def _problems(family: Metric) -> list[str]:
    problems = []
    if not _NAME.fullmatch(family.name):
        problems.append("words of small letters, joined by _, that begin with binderfed_")
    if family.name.endswith("_total") and family.type != "counter":
        problems.append("_total is for counters")
    if _DERIVED_UNITS.search(family.name):
        problems.append("base units only: seconds, bytes, ratio")
    if not family.documentation.strip():
        problems.append("a sentence of help is missing")
    if family.type == "histogram" and not family.name.endswith(("_seconds", "_bytes", "_ratio")):
        problems.append("a histogram's unit is the end of its name")
    labels = {label for sample in family.samples for label in sample.labels}
    if unbounded := labels & UNBOUNDED:
        problems.append(f"labels of unbounded values: {', '.join(sorted(unbounded))}")
    return problems


def read_registry(registry: CollectorRegistry) -> dict[str, Metric]:
    """The metrics of a registry by name."""
    return {family.name: family for family in registry.collect()}
