"""Who may talk to whom, by the chart's NetworkPolicies: worked out from the objects, as not every
cluster has a plugin that enforces them."""

import pytest

from binder_federation.cluster_agent.stacks.kubernetes.labels import Component, labels_of
from tests.support.helm import Json, render, with_values
from tests.support.network_policies import Peer, allows

MEMBER = "uni-a"
SERVER = Peer(labels_of(MEMBER, Component.SERVER))
BUILD = Peer(labels_of(MEMBER, Component.BUILD))
PREPULL = Peer(labels_of(MEMBER, Component.PREPULL))
AGENT = Peer({**labels_of(MEMBER, Component.SERVER), "app.kubernetes.io/component": "agent"})
ENGINE = Peer({**labels_of(MEMBER, Component.BUILD), "app.kubernetes.io/component": "builder"})
OTHER_MEMBERS_AGENT = Peer({**AGENT.labels, "binder-federation.org/member": "uni-b"})
SYSTEM = {"kubernetes.io/metadata.name": "kube-system"}
DNS = Peer({"k8s-app": "kube-dns"}, namespace_labels=SYSTEM)
STRANGER = Peer({"app": "shop"}, namespace_labels={"kubernetes.io/metadata.name": "shop"})
GITHUB, GITHUB_6 = Peer(address="140.82.112.3"), Peer(address="2606:50c0:8000::153")

FORBIDDEN = {
    "the clouds' metadata": "169.254.169.254",
    "Amazon's metadata over IPv6": "fd00:ec2::254",
    "Amazon's credentials for containers": "169.254.170.2",
    "Azure's host": "168.63.129.16",
    "Alibaba's metadata": "100.100.100.200",
    "Oracle's metadata": "192.0.0.192",
    "the API server's Service": "10.152.0.1",
    "a node": "192.168.1.10",
    "Docker's bridge": "172.17.0.1",
    "a neighbour over IPv6": "fe80::1",
    "a private address through NAT64": "64:ff9b::a00:1",
}


def policies(**changes: object) -> list[Json]:
    return render(with_values(changes)).all("NetworkPolicy")


@pytest.mark.parametrize("pod", [SERVER, BUILD], ids=["a server", "a build"])
def test_strangers_code_reaches_the_internet_and_dns(pod: Peer) -> None:
    given = policies()

    assert allows(given, source=pod, target=GITHUB, port=443)
    assert allows(given, source=pod, target=GITHUB_6, port=443)
    assert allows(given, source=pod, target=DNS, port=53, protocol="UDP")
    assert allows(given, source=pod, target=DNS, port=53, protocol="TCP")


@pytest.mark.parametrize("address", FORBIDDEN.values(), ids=FORBIDDEN.keys())
@pytest.mark.parametrize("pod", [SERVER, BUILD], ids=["a server", "a build"])
def test_strangers_code_does_not_reach(pod: Peer, address: str) -> None:
    target = Peer(address=address)

    assert not allows(policies(), source=pod, target=target, port=80)
    assert not allows(policies(), source=pod, target=target, port=443)


@pytest.mark.parametrize("pod", [SERVER, BUILD], ids=["a server", "a build"])
@pytest.mark.parametrize(
    ("target", "port"),
    [(SERVER, 8888), (AGENT, 8585), (AGENT, 8000), (AGENT, 8081), (DNS, 9153), (STRANGER, 80)],
    ids=["a server", "the agent", "the hub's proxy", "the hub", "DNS's metrics", "a stranger"],
)
def test_strangers_code_does_not_reach_pods(pod: Peer, target: Peer, port: int) -> None:
    assert not allows(policies(), source=pod, target=target, port=port)


def test_servers_are_reached_by_their_agent_alone() -> None:
    given = policies()

    assert allows(given, source=AGENT, target=SERVER, port=8888)
    assert not allows(given, source=AGENT, target=SERVER, port=22)
    assert not allows(given, source=OTHER_MEMBERS_AGENT, target=SERVER, port=8888)
    assert not allows(given, source=STRANGER, target=SERVER, port=8888)
    assert not allows(given, source=GITHUB, target=SERVER, port=8888)


def test_the_port_of_servers_is_the_one_of_the_settings() -> None:
    given = policies(**{"config.kubernetes.user.port": 9999})

    assert allows(given, source=AGENT, target=SERVER, port=9999)
    assert not allows(given, source=AGENT, target=SERVER, port=8888)


def test_nobody_reaches_a_build_or_a_pod_that_pulls() -> None:
    given = policies()

    assert not allows(given, source=AGENT, target=BUILD, port=80)
    assert not allows(given, source=AGENT, target=PREPULL, port=80)
    assert not allows(given, source=PREPULL, target=GITHUB, port=443)


def test_an_agent_takes_visitors_at_its_two_ports() -> None:
    given = policies()

    for source in (GITHUB, STRANGER):
        assert allows(given, source=source, target=AGENT, port=8585)
        assert allows(given, source=source, target=AGENT, port=8000)
        assert not allows(given, source=source, target=AGENT, port=8081)
    assert allows(given, source=AGENT, target=Peer(address="10.152.0.1"), port=443)


def test_an_agents_visitors_can_be_named() -> None:
    federation = [{"ipBlock": {"cidr": "140.82.112.0/24"}}]
    given = policies(**{"networkPolicies.agent.apiFrom": federation})
    helm_test = Peer({**AGENT.labels, "app.kubernetes.io/component": "test"})

    assert allows(given, source=GITHUB, target=AGENT, port=8585)
    assert allows(given, source=helm_test, target=AGENT, port=8585)
    assert not allows(given, source=STRANGER, target=AGENT, port=8585)
    assert allows(given, source=STRANGER, target=AGENT, port=8000), "browsers come from anywhere"


def test_an_engine_of_the_chart_is_held_to_the_rules_of_builds() -> None:
    given = policies(
        **{"builder.kind": "dind", "config.registry.repository": "registry.example.org/images"}
    )

    assert allows(given, source=ENGINE, target=GITHUB, port=443)
    assert not allows(given, source=ENGINE, target=Peer(address="169.254.169.254"), port=80)


def test_a_private_registry_can_be_allowed_for_builds_alone() -> None:
    rule = {"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}], "ports": [{"port": 5000}]}
    given = policies(**{"networkPolicies.builds.extraEgress": [rule]})
    registry = Peer(address="10.1.2.3")

    assert allows(given, source=BUILD, target=registry, port=5000)
    assert not allows(given, source=BUILD, target=registry, port=22)
    assert not allows(given, source=SERVER, target=registry, port=5000)


@pytest.mark.parametrize("pod", [SERVER, BUILD], ids=["a server", "a build"])
@pytest.mark.parametrize(
    ("port", "protocol", "is_open"),
    [
        (80, "TCP", True),
        (443, "TCP", True),
        (9418, "TCP", True),
        (22, "TCP", False),
        (25, "TCP", False),
        (3333, "TCP", False),
        (6667, "TCP", False),
        (443, "UDP", False),
        (53, "UDP", False),
    ],
    ids=["web", "https", "git", "ssh", "mail", "a mining pool", "IRC", "QUIC", "DNS elsewhere"],
)
def test_the_internet_is_the_web_and_git(
    pod: Peer, port: int, protocol: str, is_open: bool
) -> None:
    found = allows(policies(), source=pod, target=GITHUB, port=port, protocol=protocol)

    assert found is is_open


def test_builds_reach_a_registry_and_buildkit_at_ports_of_their_own() -> None:
    given = policies(
        **{
            "config.registry.repository": "registry.example.org:5443/images",
            "builder.kind": "buildkit",
            "builder.buildkitAddress": "tcp://buildkit.example.org:1234",
        }
    )

    for port in (443, 1234, 5443):
        assert allows(given, source=BUILD, target=GITHUB, port=port), port
    assert not allows(given, source=BUILD, target=GITHUB, port=5000)
    assert not allows(given, source=SERVER, target=GITHUB, port=5443)


def test_all_ports_can_be_opened() -> None:
    given = policies(**{"networkPolicies.servers.ports": [], "networkPolicies.builds.ports": []})

    for pod in (SERVER, BUILD):
        assert allows(given, source=pod, target=GITHUB, port=22)
        assert not allows(given, source=pod, target=Peer(address="10.0.0.1"), port=22)


def test_further_networks_can_be_blocked_and_ports_chosen() -> None:
    given = policies(
        **{
            "networkPolicies.alsoBlocked": ["140.82.112.0/24", "2606:50c0::/32"],
            "networkPolicies.servers.ports": [80, 443],
        }
    )
    elsewhere = Peer(address="151.101.1.1")

    assert not allows(given, source=SERVER, target=GITHUB, port=443)
    assert not allows(given, source=SERVER, target=GITHUB_6, port=443)
    assert allows(given, source=SERVER, target=elsewhere, port=443)
    assert not allows(given, source=SERVER, target=elsewhere, port=25)


def test_the_proxy_of_an_external_hub_can_be_let_in() -> None:
    proxy = {"podSelector": {"matchLabels": {"component": "proxy"}}}
    given = policies(**{"networkPolicies.servers.ingressFrom": [proxy]})

    assert allows(given, source=Peer({"component": "proxy"}), target=SERVER, port=8888)


@pytest.mark.parametrize(
    ("version", "is_elsewhere_allowed"), [("1.20.2", True), ("1.21.0", False), ("1.31.0", False)]
)
def test_dns_is_in_kube_system_where_namespaces_can_be_told_by_name(
    version: str, is_elsewhere_allowed: bool
) -> None:
    given = render(with_values({}), kube_version=version).all("NetworkPolicy")
    elsewhere = Peer({"k8s-app": "kube-dns"}, namespace_labels={"team": "shop"})

    assert allows(given, source=SERVER, target=DNS, port=53, protocol="UDP")
    found = allows(given, source=SERVER, target=elsewhere, port=53, protocol="UDP")
    assert found is is_elsewhere_allowed


def test_there_are_none_when_they_are_not_wanted() -> None:
    rendered = render(with_values({"networkPolicies.enabled": False}))

    assert rendered.all("NetworkPolicy") == []
    assert rendered.agent_yaml()["isolation"]["network_policies"] is False, "the agent warns of it"
