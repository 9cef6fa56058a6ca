"""The objects that the chart makes: no right, no port and no privilege more than needed."""

from typing import Any

import pytest

from binder_federation.cluster_agent.stacks.kubernetes.start_checks import (
    HUB_RIGHTS,
    NEEDED_RIGHTS,
)
from tests.support.helm import ABSENT, HelmRefused, Json, Rendered, render, with_values

EXTERNAL = {
    "config.kubernetes.hub": {
        "mode": "external",
        "public_url": "https://hub.uni-a.example",
        "api_url": "http://hub:8081/hub/api",
    },
    "secrets.hubApiToken": "the-hub-token",
}
REGISTRY = {"config.registry.repository": "registry.example.org/binder/images"}


def pod_of(rendered: Rendered, kind: str = "Deployment") -> Json:
    pod: Json = rendered.one(kind)["spec"]["template"]["spec"]
    return pod


def rights(role: Json) -> set[tuple[str, str, str]]:
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_agent_may_do_what_it_needs_and_no_more() -> None:
    """What the chart gives is what the agent asks for at its start: a rule that is missing keeps it
    from starting, and one that it does not need has no place here."""
    rendered = render(with_values({}))

    wanted = {("", resource, verb) for verb, resource in NEEDED_RIGHTS + HUB_RIGHTS}
    assert rights(rendered.one("Role")) == wanted
    assert rights(rendered.one("ClusterRole")) == {("", "nodes", "list")}
    for binding in (rendered.one("RoleBinding"), rendered.one("ClusterRoleBinding")):
        account = rendered.one("ServiceAccount")["metadata"]["name"]
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": account, "namespace": "binder"}
        ]


def test_nothing_of_the_whole_cluster_is_read_when_that_is_not_wanted() -> None:
    rendered = render(with_values({"rbac.nodes": False}))

    assert rendered.all("ClusterRole") == rendered.all("ClusterRoleBinding") == []
    assert rendered.agent_yaml()["kubernetes"]["may_read_nodes"] is False


def test_all_pods_may_be_listed_when_that_is_wanted() -> None:
    role = render(with_values({"rbac.allPods": True})).one("ClusterRole")

    assert ("", "pods", "list") in rights(role)
    assert ("", "pods", "get") not in rights(role)


def test_members_in_two_namespaces_do_not_share_names_of_the_cluster() -> None:
    name = render(with_values({})).one("ClusterRole")["metadata"]["name"]

    assert name.startswith("binder-"), "the namespace tells the releases apart"


@pytest.mark.parametrize(
    ("kind", "token"), [("Deployment", True), ("Pod", False)], ids=["the agent", "its test"]
)
def test_pods_have_no_privileges(kind: str, token: bool) -> None:
    rendered = render(with_values({}))
    pod = pod_of(rendered) if kind == "Deployment" else rendered.one("Pod")["spec"]

    assert pod["automountServiceAccountToken"] is token
    assert pod["enableServiceLinks"] is False, "Services' variables look like settings"
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True
        assert security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
    assert not any("hostPath" in volume for volume in pod.get("volumes", []))
    assert not any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC"))


def test_the_service_account_gives_its_token_to_the_agent_alone() -> None:
    account = render(
        with_values({"serviceAccount.annotations": {"eks.amazonaws.com/role-arn": "arn:x"}})
    ).one("ServiceAccount")

    assert account["automountServiceAccountToken"] is False
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": "arn:x"}


def test_the_agent_writes_to_volumes() -> None:
    rendered = render(with_values({}))

    mounts = pod_of(rendered)["containers"][0]["volumeMounts"]
    writable = {each["mountPath"] for each in mounts if not each.get("readOnly")}
    state_dir = rendered.agent_yaml()["state_dir"]
    assert writable == {"/var/lib/binder", "/tmp"}  # noqa: S108 - a path in the pod
    assert state_dir.startswith("/var/lib/binder/")


def test_the_hubs_servers_can_be_remembered_over_a_move() -> None:
    rendered = render(with_values({"persistence.enabled": True}))

    volume = next(each for each in pod_of(rendered)["volumes"] if each["name"] == "state")
    claim = rendered.one("PersistentVolumeClaim")["metadata"]["name"]
    assert volume["persistentVolumeClaim"] == {"claimName": claim}


def test_probes_do_not_ask_how_the_hub_is() -> None:
    container = pod_of(render(with_values({})))["containers"][0]

    paths = {
        container[f"{name}Probe"]["httpGet"]["path"]
        for name in ("startup", "liveness", "readiness")
    }
    assert paths == {"/versions"}, "a restart, or leaving the Service, would help nobody"


def test_a_managed_hub_has_one_agent() -> None:
    rendered = render(with_values({}))

    deployment = rendered.one("Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]["type"]) == (1, "Recreate")
    assert rendered.all("PodDisruptionBudget") == [], "it would only hinder draining a node"
    assert "affinity" not in pod_of(rendered)
    names = {each["metadata"]["name"] for each in rendered.all("Service")}
    assert names == {"alpha-cluster-agent", "alpha-cluster-agent-proxy"}


def test_an_external_hub_may_have_several_agents() -> None:
    rendered = render(with_values({**EXTERNAL, "replicas": 2}))

    assert rendered.one("Deployment")["spec"]["strategy"]["type"] == "RollingUpdate"
    assert "podAntiAffinity" in pod_of(rendered)["affinity"]
    assert rendered.one("PodDisruptionBudget")["spec"]["minAvailable"] == 1
    assert [each["name"] for each in pod_of(rendered)["containers"][0]["ports"]] == ["api"]
    assert len(rendered.all("Service")) == 1, "the hub has its own proxy"
    assert "port" not in rendered.agent_yaml()["kubernetes"]["hub"]


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.20.2", "policy/v1beta1"), ("1.21.0", "policy/v1"), ("1.31.0", "policy/v1")],
)
def test_the_disruption_budget_is_of_an_api_that_the_cluster_has(
    version: str, expected: str
) -> None:
    rendered = render(with_values({**EXTERNAL, "replicas": 2}), kube_version=version)

    assert rendered.one("PodDisruptionBudget")["apiVersion"] == expected


def test_a_service_monitor_is_made_where_the_kind_is() -> None:
    wanted = with_values({"serviceMonitor": {"enabled": True, "labels": {"release": "ours"}}})

    assert render(wanted).all("ServiceMonitor") == []
    monitor = render(wanted, apis=["monitoring.coreos.com/v1"]).one("ServiceMonitor")
    assert monitor["spec"]["endpoints"][0]["path"] == "/metrics"
    assert monitor["metadata"]["labels"]["release"] == "ours"
    selector = monitor["spec"]["selector"]["matchLabels"].items()
    selected = [
        each["metadata"]["name"]
        for each in render(wanted).all("Service")
        if selector <= each["metadata"]["labels"].items()
    ]
    assert selected == ["alpha-cluster-agent"], "the hub's proxy has no metrics of the agent"


def test_services_lead_to_the_agents_pod() -> None:
    rendered = render(with_values({"services.proxy": {"type": "NodePort", "nodePort": 30080}}))

    labels = rendered.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    ports = {each["name"] for each in pod_of(rendered)["containers"][0]["ports"]}
    for service in rendered.all("Service"):
        assert service["spec"]["selector"].items() <= labels.items()
        assert service["spec"]["ports"][0]["targetPort"] in ports
    proxy = rendered.one("Service", "proxy")["spec"]
    assert (proxy["type"], proxy["ports"][0]["nodePort"]) == ("NodePort", 30080)


@pytest.mark.parametrize("kind", ["host-socket", "buildkit"])
def test_no_engine_is_started_unless_asked_for(kind: str) -> None:
    changes: dict[str, Any] = {"builder": {"kind": kind, "buildkitAddress": "tcp://b:1"}}

    assert render(with_values({**REGISTRY, **changes})).all("DaemonSet") == []


@pytest.mark.parametrize("kind", ["dind", "podman"])
def test_an_engine_of_the_chart_cannot_use_the_clusters_api(kind: str) -> None:
    pod = pod_of(render(with_values({**REGISTRY, "builder.kind": kind})), "DaemonSet")

    assert pod["automountServiceAccountToken"] is False
    assert pod["containers"][0]["securityContext"]["privileged"] is True
    assert not pod.get("hostNetwork")
    (folder,) = [each["hostPath"]["path"] for each in pod["volumes"]]
    assert folder.startswith("/var/lib/binderfed/uni-a-"), "it sees its own folder of the node"


def test_a_change_of_settings_or_secrets_restarts_the_agent() -> None:
    def checksums(**changes: Any) -> tuple[str, str]:
        template = render(with_values(changes)).one("Deployment")["spec"]["template"]
        annotations = template["metadata"]["annotations"]
        return annotations["checksum/config"], annotations["checksum/secrets"]

    config, secrets = checksums()
    assert checksums(**{"config.quota.sessions": 7}) == (checksums(**{"config.quota.sessions": 7}))
    assert checksums(**{"config.quota.sessions": 7})[0] != config
    assert checksums(**{"secrets.credential": "another-long-random-text"})[1] != secrets


def test_every_object_says_whose_it_is() -> None:
    for each in render(with_values({"persistence.enabled": True})).objects:
        labels = each["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "binderfed", each["kind"]
        assert labels["binder-federation.org/member"] == "uni-a", each["kind"]


JOIN = {
    "secrets.credential": ABSENT,
    "config.federation_url": ABSENT,
    "join": {
        "url": "https://binder.example.org",
        "token": "bfi_abc.0123456789abcdef0123",
        "agentUrl": "https://agent.uni-a.example",
    },
}


def test_one_that_joins_may_read_and_replace_its_membership_alone() -> None:
    rendered = render(with_values(JOIN))

    kept = rendered.one("Secret", "membership")
    assert "data" not in kept, "an upgrade would write over what the agent keeps there"
    assert kept["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    (rule,) = [each for each in rendered.one("Role")["rules"] if "resourceNames" in each]
    assert rule["resourceNames"] == [kept["metadata"]["name"]]
    assert (rule["resources"], rule["verbs"]) == (["secrets"], ["get", "update"])
    assert rendered.agent_yaml()["join"] == {
        "url": "https://binder.example.org",
        "agent_url": "https://agent.uni-a.example",
        "secret": kept["metadata"]["name"],
    }


def test_the_invitation_comes_from_a_secret() -> None:
    rendered = render(with_values({**JOIN, "join.existingSecret": "invited"}))

    variables = {
        each["name"]: each["valueFrom"]["secretKeyRef"]
        for each in pod_of(rendered)["containers"][0]["env"]
    }
    token = variables["BINDERFED_AGENT_JOIN__TOKEN"]
    assert (token["name"], token["key"]) == ("invited", "join-token")
    assert token["optional"], "it may be taken away once it was used"
    assert "BINDERFED_AGENT_CREDENTIAL" not in variables
    assert "bfi_" not in rendered.one("ConfigMap")["data"]["agent.yaml"]


def test_nothing_is_kept_for_a_member_with_a_credential() -> None:
    rendered = render(with_values({"secrets.oldCredentials": ["the-credential-of-before"]}))

    assert not any("resourceNames" in rule for rule in rendered.one("Role")["rules"])
    assert "old-credentials" in rendered.one("Secret")["data"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"join.token": ABSENT}, "join.token is missing"),
        ({"join.token": "0123456789abcdef"}, "join.token is no invitation's token"),
        ({"join.agentUrl": ABSENT}, "join.agentUrl is missing"),
        ({"join.url": ABSENT}, "join.url is missing"),
        ({"secrets.credential": "a-long-random-text"}, "secrets.credential is not for join"),
        ({"config.federation_url": "https://binder.example.org"}, "follows from join.url"),
        ({"config.join": {"url": "https://binder.example.org"}}, "config.join is not for here"),
    ],
)
def test_contradictions_about_joining_are_refused(changes: Json, sentence: str) -> None:
    with pytest.raises(HelmRefused) as refused:
        render(with_values(changes, with_values(JOIN)))

    assert sentence in str(refused.value)
