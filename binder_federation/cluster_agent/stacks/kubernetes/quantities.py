"""Kubernetes' numbers with units, and what a pod asks for. Pure.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]

_QUANTITY = re.compile(r"([+-]?[0-9.]+)(?:([eE][+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)")
_UNITS = {
    "": 1.0,
    **{unit: 10.0**power for unit, power in zip("num", (-9, -6, -3), strict=True)},
    **{unit: 1000.0**power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTPE", start=1)},
}
RESOURCES = ("cpu", "memory", "ephemeral-storage")


def read_quantity(text: str | float) -> float:
    """`500m` is 0.5, `2Gi` is 2 × 1024³. ValueError when it is none."""
    match = _QUANTITY.fullmatch(str(text).strip())
    if match is None:
        raise ValueError(f"{text!r} is no quantity")
    number, exponent, unit = match.groups()
    return float(f"{number}{exponent or ''}") * _UNITS[unit or ""]


def read_quantities(quantities: Mapping[str, str | float] | None) -> dict[str, float]:
    """All of them, by resource."""
    return {name: read_quantity(text) for name, text in (quantities or {}).items()}


def requests_of(pod: Json) -> dict[str, float]:
    """What the pod's node keeps for it; init containers run before the others, one by one."""
    spec = pod.get("spec", {})
    total: Counter[str] = Counter()
    for container in spec.get("containers") or []:
        total.update(_requests(container))
    first = [_requests(container) for container in spec.get("initContainers") or []]
    return {name: max([total[name], *(one.get(name, 0.0) for one in first)]) for name in RESOURCES}


def total_requests(pods: Iterable[Json]) -> dict[str, float]:
    """The sum, and the number of pods."""
    total: Counter[str] = Counter()
    for pod in pods:
        total.update(requests_of(pod))
        total["pods"] += 1
    return dict(total)


def _requests(container: Json) -> dict[str, float]:
    return read_quantities((container.get("resources") or {}).get("requests"))
