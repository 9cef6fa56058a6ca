"""What NetworkPolicy objects allow, worked out as a network plugin does.

Rules are added up; a pod that no policy of a direction selects is open in that direction.
https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Peer:
    """A pod with its labels and its namespace's (None: the policies' own), or an address."""

    labels: Mapping[str, str] = field(default_factory=dict)
    namespace_labels: Mapping[str, str] | None = None
    address: str = ""


def allows(
    policies: Sequence[Json], *, source: Peer, target: Peer, port: int, protocol: str = "TCP"
) -> bool:
    """Whether a connection is let out of its source and into its target."""
    return _passes(policies, "Egress", source, target, port, protocol) and _passes(
        policies, "Ingress", target, source, port, protocol
    )


def _passes(
    policies: Sequence[Json], direction: str, pod: Peer, other: Peer, port: int, protocol: str
) -> bool:
    if pod.address or pod.namespace_labels is not None:
        return True  # not one of the namespace's pods
    concerned = [
        each["spec"]
        for each in policies
        if direction in each["spec"]["policyTypes"]
        and _matches(each["spec"]["podSelector"], pod.labels)
    ]
    rules = [rule for spec in concerned for rule in spec.get(direction.lower()) or []]
    side = "to" if direction == "Egress" else "from"
    return not concerned or any(
        _has_peer(rule.get(side), other) and _has_port(rule.get("ports"), port, protocol)
        for rule in rules
    )


def _has_peer(peers: Sequence[Json] | None, other: Peer) -> bool:
    return not peers or any(_is_peer(peer, other) for peer in peers)


def _is_peer(peer: Json, other: Peer) -> bool:
    if "ipBlock" in peer:
        return bool(other.address) and _is_in_block(peer["ipBlock"], other.address)
    if other.address or not _matches(peer.get("podSelector", {}), other.labels):
        return False
    if "namespaceSelector" not in peer:
        return other.namespace_labels is None
    return _matches(peer["namespaceSelector"], other.namespace_labels or {})


def _is_in_block(block: Json, address: str) -> bool:
    def holds(network: str) -> bool:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network)

    return holds(block["cidr"]) and not any(map(holds, block.get("except", [])))


def _has_port(ports: Sequence[Json] | None, port: int, protocol: str) -> bool:
    return not ports or any(
        each["port"] == port and each.get("protocol", "TCP") == protocol for each in ports
    )


def _matches(selector: Json, labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}, f"only matchLabels are understood: {selector}"
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())
