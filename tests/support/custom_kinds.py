"""Objects of kinds that other projects bring to a cluster, held against what those take.

The cluster of tests has neither the Prometheus operator nor the Gateway API, and its API server
(Kubernetes 1.20 with a newer Go) ends at the first object of any custom kind. So these are checked
here: strictly, against the part of each kind's schema that our charts use.

https://prometheus-operator.dev/docs/api-reference/api/
https://gateway-api.sigs.k8s.io/reference/spec/
"""

from typing import Any

import jsonschema

from tests.support.helm import Json

TEXT = {"type": "string"}
TEXTS = {"type": "object", "additionalProperties": TEXT}
SELECTOR = {"type": "object", "properties": {"matchLabels": TEXTS}}
REFERENCES = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": TEXT, "namespace": TEXT, "sectionName": TEXT, "port": {"type": "integer"},
        },
    },
}  # fmt: skip
_RULE = {
    "type": "object",
    "required": ["expr"],
    "properties": {
        "alert": TEXT, "record": TEXT, "expr": {"type": ["string", "integer"]},
        "for": {"type": "string", "pattern": "^[0-9smhdwy]+$"},
        "keep_firing_for": TEXT, "labels": TEXTS, "annotations": TEXTS,
    },
}  # fmt: skip
_SPECS: dict[str, tuple[str, dict[str, Any]]] = {
    "ServiceMonitor": ("monitoring.coreos.com", {
        "type": "object",
        "required": ["endpoints", "selector"],
        "properties": {
            "selector": SELECTOR,
            "endpoints": {"type": "array", "items": {"type": "object", "properties": {
                "port": TEXT, "path": TEXT, "interval": TEXT}}},
        },
    }),
    "PrometheusRule": ("monitoring.coreos.com", {
        "type": "object",
        "properties": {"groups": {"type": "array", "items": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": TEXT, "interval": TEXT,
                           "rules": {"type": "array", "items": _RULE}},
        }}},
    }),
    "HTTPRoute": ("gateway.networking.k8s.io", {
        "type": "object",
        "properties": {
            "parentRefs": REFERENCES,
            "hostnames": {"type": "array", "items": TEXT},
            "rules": {"type": "array", "items": {"type": "object", "properties": {
                "backendRefs": REFERENCES,
                "matches": {"type": "array", "items": {"type": "object", "properties": {
                    "path": {"type": "object", "properties": {"type": TEXT, "value": TEXT}}}}},
            }}},
        },
    }),
}  # fmt: skip


def apis() -> list[str]:
    """The APIs that a cluster with these kinds has."""
    return sorted({f"{group}/v1" for group, _ in _SPECS.values()})


def is_custom(found: Json) -> bool:
    """Whether an object is of one of these kinds."""
    return found["kind"] in _SPECS


def problems(found: Json) -> list[str]:
    """What its kind has against an object, each with its place."""
    group, spec = _SPECS[found["kind"]]
    assert found["apiVersion"] == f"{group}/v1", f"{found['kind']} is of {group}/v1"
    errors = jsonschema.Draft202012Validator(_strict(spec)).iter_errors(found["spec"])
    return [f"spec{error.json_path[1:]}: {error.message}" for error in errors]


def _strict(node: Any) -> Any:
    """Without any property that is not named: a cluster drops what it does not know."""
    if isinstance(node, list):
        return [_strict(each) for each in node]
    if not isinstance(node, dict):
        return node
    inner = {key: _strict(value) for key, value in node.items()}
    if "properties" in node and "additionalProperties" not in node:
        inner["additionalProperties"] = False
    return inner
