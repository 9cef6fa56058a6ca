"""The objects that the federation's chart makes: replicas that come and go one by one, pods without
privileges, and who may talk to whom."""

from typing import Any

import pytest

from tests.support.chart_schema import FEDERATION
from tests.support.helm import ABSENT, Json, Rendered, run_helm
from tests.support.helm_values import container_of, federation_values, render_federation
from tests.support.network_policies import Peer, allows

GATEWAY_API = "gateway.networking.k8s.io/v1"
OPERATOR_API = "monitoring.coreos.com/v1"
SCALED = {"autoscaling": {"enabled": True, "memory": 80}}
ROUTE = {
    "config.public_url": "https://binder.example.org",
    "httpRoute": {
        "enabled": True,
        "parentRefs": [{"name": "public", "namespace": "gateways"}],
        "hostnames": ["binder.example.org"],
    },
}


def pod_of(rendered: Rendered, kind: str = "Deployment") -> Json:
    found = rendered.one(kind)
    pod: Json = found["spec"] if kind == "Pod" else found["spec"]["template"]["spec"]
    return pod


def labels_of(rendered: Rendered, kind: str) -> dict[str, str]:
    labels: dict[str, str] = rendered.one(kind)["spec"]["template"]["metadata"]["labels"]
    return labels


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Pod"])
def test_pods_have_no_privileges(kind: str) -> None:
    pod = pod_of(render_federation({}), kind)

    assert pod["automountServiceAccountToken"] is False, "nobody here uses the cluster's API"
    assert pod["enableServiceLinks"] is False, "Services' variables look like settings"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
    kinds = {kind for volume in pod.get("volumes", []) for kind in volume} - {"name"}
    assert kinds <= {"configMap", "emptyDir"}
    assert not any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC"))


def test_the_chart_asks_for_no_rights() -> None:
    rendered = render_federation({})

    assert not any("Role" in each["kind"] for each in rendered.objects)
    assert rendered.one("ServiceAccount")["automountServiceAccountToken"] is False


def test_a_replica_goes_when_another_is_ready() -> None:
    rendered = render_federation({"preStopSeconds": 20})

    spec = rendered.one("Deployment")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    stop = container_of(rendered)["lifecycle"]["preStop"]["exec"]["command"]
    assert stop == ["sleep", "20"]
    assert pod_of(rendered)["terminationGracePeriodSeconds"] >= 20 + 15


def test_probes_ask_for_what_a_restart_mends() -> None:
    container = container_of(render_federation({}))

    paths = {name: container[f"{name}Probe"]["httpGet"]["path"]
             for name in ("startup", "readiness", "liveness")}  # fmt: skip
    # That members are down does not make /health fail: tests/service/federation has that.
    assert paths == {"startup": "/versions", "readiness": "/health", "liveness": "/health"}
    liveness = container["livenessProbe"]
    patience = liveness["periodSeconds"] * liveness["failureThreshold"]
    assert patience >= 300, (
        "a short trouble of its network would restart it in the middle of launches"
    )


def test_replicas_keep_away_from_each_other() -> None:
    rendered = render_federation({})

    labels, pod = labels_of(rendered, "Deployment").items(), pod_of(rendered)
    (term,) = pod["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    (spread,) = pod["topologySpreadConstraints"]
    assert term["podAffinityTerm"]["labelSelector"]["matchLabels"].items() <= labels
    assert spread["labelSelector"]["matchLabels"].items() <= labels
    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    assert (spread["topologyKey"], spread["whenUnsatisfiable"]) == (
        "topology.kubernetes.io/zone", "ScheduleAnyway",
    )  # fmt: skip


def test_replicas_may_be_placed_otherwise() -> None:
    spread = [{"maxSkew": 2, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}]
    changes = {"affinity": {"nodeAffinity": {}}, "topologySpreadConstraints": spread}

    pod = pod_of(render_federation(changes))

    assert (pod["affinity"], pod["topologySpreadConstraints"]) == ({"nodeAffinity": {}}, spread)


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.20.2", "policy/v1beta1"), ("1.21.0", "policy/v1"), ("1.31.0", "policy/v1")],
)
def test_the_disruption_budget_is_of_an_api_that_the_cluster_has(
    version: str, expected: str
) -> None:
    budget = render_federation({}, kube_version=version).one("PodDisruptionBudget")

    assert (budget["apiVersion"], budget["spec"]["maxUnavailable"]) == (expected, 1)


@pytest.mark.parametrize(
    "changes",
    [{"replicas": 1}, {"autoscaling": {"enabled": True, "minReplicas": 1}}],
    ids=["one", "one at least"],
)
def test_one_replica_does_not_keep_a_node_from_being_drained(changes: dict[str, Any]) -> None:
    assert render_federation(changes).all("PodDisruptionBudget") == []


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.20.2", "autoscaling/v2beta2"), ("1.23.0", "autoscaling/v2"), ("1.31.0", "autoscaling/v2")],
)
def test_the_number_of_replicas_can_follow_their_load(version: str, expected: str) -> None:
    rendered = render_federation(SCALED, kube_version=version)

    scaler, deployment = rendered.one("HorizontalPodAutoscaler"), rendered.one("Deployment")
    assert scaler["apiVersion"] == expected
    assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "replicas" not in deployment["spec"], "each upgrade would undo what the scaler did"
    targets = {each["resource"]["name"]: each["resource"]["target"]["averageUtilization"]
               for each in scaler["spec"]["metrics"]}  # fmt: skip
    assert targets == {"cpu": 70, "memory": 80}


def test_the_service_leads_to_the_replicas() -> None:
    rendered = render_federation({"service": {"type": "NodePort", "nodePort": 30080}})

    for name, kind in (("federation", "Deployment"), ("redis", "StatefulSet")):
        service = rendered.one("Service", name)["spec"]
        assert service["selector"].items() <= labels_of(rendered, kind).items()
        (container,) = pod_of(rendered, kind)["containers"]
        assert service["ports"][0]["targetPort"] == container["ports"][0]["name"]
    port = rendered.one("Service", "federation")["spec"]["ports"][0]["nodePort"]
    assert port == 30080
    redis = rendered.one("Service", "redis")["metadata"]["name"]
    assert rendered.federation_yaml()["redis"]["url"] == f"redis://{redis}:6379/0"


def test_two_releases_in_one_namespace_do_not_meet() -> None:
    selector = render_federation({}).one("Service", "federation")["spec"]["selector"]

    assert selector["app.kubernetes.io/instance"] == "alpha"
    assert selector["app.kubernetes.io/component"] == "federation", "Redis is not meant"


def test_an_ingress_leads_to_the_service() -> None:
    annotations = {"nginx.ingress.kubernetes.io/proxy-buffering": "off"}
    given = {"enabled": True, "className": "nginx", "annotations": annotations,
             "host": "binder.example.org", "tlsSecret": "certificate"}  # fmt: skip
    rendered = render_federation({"ingress": given})

    ingress = rendered.one("Ingress")
    assert ingress["metadata"]["annotations"] == annotations
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert ingress["spec"]["tls"][0]["secretName"] == "certificate"
    (rule,) = ingress["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert rule["host"] == "binder.example.org"
    assert backend["name"] == rendered.one("Service", "federation")["metadata"]["name"]


def test_a_route_of_the_gateway_api_is_made_where_the_kind_is() -> None:
    assert render_federation(ROUTE).all("HTTPRoute") == []

    rendered = render_federation(ROUTE, apis=[GATEWAY_API])
    route, service = rendered.one("HTTPRoute"), rendered.one("Service", "federation")
    (backend,) = route["spec"]["rules"][0]["backendRefs"]
    assert backend["name"] == service["metadata"]["name"]
    assert backend["port"] == service["spec"]["ports"][0]["port"]
    assert route["spec"]["parentRefs"] == ROUTE["httpRoute"]["parentRefs"]  # type: ignore[index]


def test_a_service_monitor_is_made_where_the_kind_is() -> None:
    wanted = {"serviceMonitor": {"enabled": True, "labels": {"release": "ours"}}}

    assert render_federation(wanted).all("ServiceMonitor") == []
    rendered = render_federation(wanted, apis=[OPERATOR_API])
    monitor = rendered.one("ServiceMonitor")
    assert monitor["metadata"]["labels"]["release"] == "ours"
    selector = monitor["spec"]["selector"]["matchLabels"].items()
    selected = [each["metadata"]["name"] for each in rendered.all("Service")
                if selector <= each["metadata"]["labels"].items()]  # fmt: skip
    assert selected == ["alpha-federation"], "Redis has no metrics of the federation"


def test_redis_writes_nothing_and_shows_no_password() -> None:
    rendered = render_federation({"redis.bundled.maxMemory": "100mb"})

    (container,) = pod_of(rendered, "StatefulSet")["containers"]
    assert container["args"][-4:] == ["--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"]
    assert [each["name"] for each in container["env"]] == ["PASSWORD"]
    assert container["args"][container["args"].index("--appendonly") + 1] == "no"
    assert rendered.all("PersistentVolumeClaim") == []
    assert "requirepass" not in " ".join(container["args"][1:])


def test_a_change_of_settings_or_secrets_restarts_the_replicas() -> None:
    def checksums(kind: str, **changes: Any) -> list[str]:
        metadata = render_federation(changes).one(kind)["spec"]["template"]["metadata"]
        return [value for name, value in sorted(metadata["annotations"].items()) if "sum/" in name]

    before, redis = checksums("Deployment"), checksums("StatefulSet")
    config = {"config.launch.attempts": 7}
    secret = {"secrets.memberCredentials.uni-a": "another-long-random-text"}
    assert checksums("Deployment", **config)[0] != before[0]
    assert checksums("Deployment", **secret)[1] != before[1]
    assert checksums("StatefulSet", **config, **secret) == redis, "its hints would be lost"
    assert checksums("StatefulSet", **{"secrets.redisPassword": "another-password"}) != redis


FEDERATION_POD = Peer({"app.kubernetes.io/name": "binderfed", "app.kubernetes.io/instance": "alpha",
                       "app.kubernetes.io/component": "federation"})  # fmt: skip
REDIS_POD = Peer({**FEDERATION_POD.labels, "app.kubernetes.io/component": "redis"})
TEST_POD = Peer({**FEDERATION_POD.labels, "app.kubernetes.io/component": "test"})
AGENT_POD = Peer({**FEDERATION_POD.labels, "app.kubernetes.io/component": "agent"})
INGRESS_NAMESPACE = {"kubernetes.io/metadata.name": "ingress-nginx"}
INGRESS = Peer({"app": "nginx"}, namespace_labels=INGRESS_NAMESPACE)
STRANGER = Peer({"app": "shop"}, namespace_labels={"kubernetes.io/metadata.name": "shop"})
DNS = Peer({"k8s-app": "kube-dns"},
           namespace_labels={"kubernetes.io/metadata.name": "kube-system"})  # fmt: skip
GITHUB, GITHUB_6 = Peer(address="140.82.112.3"), Peer(address="2606:50c0:8000::153")


def policies(**changes: object) -> list[Json]:
    return render_federation(changes).all("NetworkPolicy")


def test_the_federation_reaches_the_internet_dns_and_its_redis() -> None:
    given = policies()

    assert allows(given, source=FEDERATION_POD, target=GITHUB, port=443)
    assert allows(given, source=FEDERATION_POD, target=GITHUB_6, port=443)
    assert allows(given, source=FEDERATION_POD, target=DNS, port=53, protocol="UDP")
    assert allows(given, source=FEDERATION_POD, target=REDIS_POD, port=6379)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "10.152.0.1", "192.168.1.10", "100.100.100.200", "fe80::1"]
)
def test_an_address_in_a_link_does_not_lead_into_the_cluster(address: str) -> None:
    target = Peer(address=address)

    assert not allows(policies(), source=FEDERATION_POD, target=target, port=80)


def test_a_member_on_a_private_network_can_be_reached_when_that_is_said() -> None:
    rule = {"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}], "ports": [{"port": 443}]}
    given = policies(**{"networkPolicies.extraEgress": [rule]})

    assert allows(given, source=FEDERATION_POD, target=Peer(address="10.1.2.3"), port=443)
    assert not allows(given, source=FEDERATION_POD, target=Peer(address="10.1.2.4"), port=443)


@pytest.mark.parametrize("peer", [AGENT_POD, TEST_POD, STRANGER, INGRESS])
def test_redis_is_the_federations_own(peer: Peer) -> None:
    assert not allows(policies(), source=peer, target=REDIS_POD, port=6379)
    assert not allows(policies(), source=REDIS_POD, target=GITHUB, port=443)


def test_who_may_use_the_federation_can_be_said() -> None:
    only = {
        "networkPolicies.ingressFrom": [{"namespaceSelector": {"matchLabels": INGRESS_NAMESPACE}}]
    }

    assert allows(policies(), source=STRANGER, target=FEDERATION_POD, port=8080)
    assert not allows(policies(), source=STRANGER, target=FEDERATION_POD, port=22)
    assert allows(policies(**only), source=INGRESS, target=FEDERATION_POD, port=8080)
    assert allows(policies(**only), source=TEST_POD, target=FEDERATION_POD, port=8080)
    assert not allows(policies(**only), source=STRANGER, target=FEDERATION_POD, port=8080)


def test_policies_can_be_left_to_somebody_else() -> None:
    assert policies(**{"networkPolicies.enabled": False}) == []


def test_every_object_says_whose_it_is() -> None:
    rendered = render_federation({**SCALED, **ROUTE}, apis=[GATEWAY_API])

    for each in rendered.objects:
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "binderfed", each["kind"]
        assert labels["app.kubernetes.io/instance"] == "alpha", each["kind"]
        assert each["metadata"]["name"].startswith("alpha-federation"), each["kind"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "port-forward"),
        (ROUTE, "\n  https://binder.example.org\n"),
        (ROUTE, "The cluster has no kind HTTPRoute"),
        (ROUTE, "config.trusted_proxies is not set"),
        ({}, "secrets.adminToken is not set"),
        ({"redis": ABSENT, "replicas": 1}, "It has no Redis"),
        ({"redis": ABSENT, "replicas": 1}, "It has neither Redis nor persistence.enabled"),
        ({}, "redis.bundled.persistence.enabled is false"),
        ({"config.members": ABSENT, "secrets.memberCredentials": ABSENT}, "binderfed invite"),
        ({"networkPolicies.enabled": False}, "networkPolicies.enabled is false"),
    ],
)
def test_an_operator_is_told_what_to_know(changes: dict[str, Any], sentence: str) -> None:
    told = run_helm(
        "install", "alpha", str(FEDERATION.folder), "--dry-run=client", "--values=-",
        values=federation_values(changes),
    )  # fmt: skip

    assert sentence in told.partition("NOTES:")[2]
