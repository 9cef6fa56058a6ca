"""The federation's chart: values that its operator must give, and what its container then reads."""

import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from tests.support.chart_schema import FEDERATION
from tests.support.helm import Json, Rendered, render, with_values

CREDENTIAL = "a-long-random-text-of-uni-a"
REDIS_PASSWORD = "a-long-password-of-redis"


def minimal_federation() -> Json:
    """A federation of one member, with the bundled Redis."""
    return {
        "config": {"members": [{"name": "uni-a", "url": "https://agent.uni-a.example"}]},
        "secrets": {
            "memberCredentials": {"uni-a": CREDENTIAL},
            "redisPassword": REDIS_PASSWORD,
        },
        "redis": {"bundled": {"enabled": True}},
    }


def federation_values(changes: Mapping[str, Any]) -> Json:
    """The minimal values with `changes` (see `with_values`)."""
    return with_values(changes, minimal_federation())


def render_federation(changes: Mapping[str, Any], **given: Any) -> Rendered:
    """What the chart makes of the minimal values with `changes`."""
    return render(federation_values(changes), chart=FEDERATION, **given)


def container_of(rendered: Rendered) -> Json:
    """The federation's container."""
    container: Json = rendered.one("Deployment")["spec"]["template"]["spec"]["containers"][0]
    return container


def environment_of(rendered: Rendered, secret: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables that the federation's container starts with; `secret` is a Secret that was
    there. https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
    """
    given = dict(secret) if secret is not None else secret_of(rendered)
    found: dict[str, str] = {}
    for variable in container_of(rendered)["env"]:
        if "value" in variable:
            found[variable["name"]] = _expanded(variable["value"], found)
            continue
        reference = variable["valueFrom"]["secretKeyRef"]
        if reference["key"] in given:
            found[variable["name"]] = given[reference["key"]]
        else:
            assert reference.get("optional"), f"the Secret has no {reference['key']}"
    return found


def secret_of(rendered: Rendered) -> dict[str, str]:
    """What the chart's own Secrets hold."""
    data = [each["data"] for each in rendered.all("Secret")]
    return {name: b64decode(value).decode() for each in data for name, value in each.items()}


def _expanded(value: str, known: Mapping[str, str]) -> str:
    def replace(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return known.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([^()]*)\)", replace, value)
