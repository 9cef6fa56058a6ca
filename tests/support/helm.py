"""A chart in Helm's hands: rendered to objects, linted, refused.

`helm_member.py` installs the agent's, `helm_federation.py` the federation's.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from tests.support.chart_schema import AGENT, Chart

RELEASE = "alpha"
NAMESPACE = "binder"
CREDENTIAL = "a-long-random-text-of-the-tests"
SECONDS = 60
ABSENT: Any = object()
"""In `with_values`: not said at all."""

Json = dict[str, Any]


class HelmRefused(Exception):
    """Helm ended with an error; the text is what it said."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The objects that a chart makes."""

    text: str
    objects: Sequence[Json]

    def all(self, kind: str) -> list[Json]:
        """Those of one kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str, suffix: str = "") -> Json:
        """The only one of its kind, of those whose names end in `-<suffix>`."""
        found = [
            each
            for each in self.all(kind)
            if not suffix or each["metadata"]["name"].endswith(f"-{suffix}")
        ]
        names = [each["metadata"]["name"] for each in found]
        assert len(found) == 1, f"one {kind} {suffix} is expected, there are {names}"
        return found[0]

    def agent_yaml(self) -> Json:
        """What the agent reads."""
        return self._settings("agent.yaml")

    def federation_yaml(self) -> Json:
        """What the federation reads, beside its environment."""
        return self._settings("federation.yaml")

    def _settings(self, name: str) -> Json:
        (text,) = [each["data"][name] for each in self.all("ConfigMap") if name in each["data"]]
        document: Json = yaml.safe_load(text)
        return document


def minimal_values() -> Json:
    """What an institution must say."""
    return {
        "config": {
            "name": "uni-a",
            "federation_url": "https://binder.example.org",
            "kubernetes": {"hub": {"public_url": "https://hub.uni-a.example"}},
        },
        "secrets": {"credential": CREDENTIAL},
    }


def with_values(changes: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> Json:
    """The minimal values with `changes`, mapping by mapping; a key may be a path `a.b`, and what
    is `ABSENT` is left out."""
    result: Json = dict(minimal_values() if base is None else base)
    for path, value in changes.items():
        name, _, rest = path.partition(".")
        if value is ABSENT and not rest:
            result.pop(name, None)
            continue
        inner = {rest: value} if rest else value
        below = result.get(name)
        is_merged = isinstance(inner, Mapping) and (rest or isinstance(below, Mapping))
        result[name] = with_values(inner, below or {}) if is_merged else inner
    return result


def render(
    values: Mapping[str, Any],
    *,
    chart: Chart = AGENT,
    kube_version: str = "1.29.0",
    apis: Sequence[str] = (),
) -> Rendered:
    """What `helm install` would make. Raises `HelmRefused`."""
    text = run_helm(
        "template", RELEASE, str(chart.folder), f"--namespace={NAMESPACE}", "--values=-",
        f"--kube-version={kube_version}", *(f"--api-versions={api}" for api in apis),
        values=values,
    )  # fmt: skip
    return Rendered(text, [each for each in yaml.safe_load_all(text) if each])


def lint(values: Mapping[str, Any], *, chart: Chart = AGENT) -> str:
    """What `helm lint` says. Raises `HelmRefused`."""
    return run_helm("lint", str(chart.folder), "--strict", "--values=-", values=values)


def run_helm(
    *arguments: str, values: Mapping[str, Any] | None = None, seconds: int = SECONDS
) -> str:
    """Run it with `values` at its standard input. Raises `HelmRefused`."""
    done = subprocess.run(
        ["helm", *arguments],
        input=json.dumps(values or {}),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**os.environ, "HELM_PLUGINS": "/nonexistent"},
    )
    if done.returncode != 0:
        raise HelmRefused(done.stderr + done.stdout)
    return done.stdout


def has_helm() -> bool:
    """Whether the program is there."""
    return shutil.which("helm") is not None
