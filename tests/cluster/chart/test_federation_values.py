"""The values for GKE, EKS and machines of one's own: both charts take them, and so do the settings
and the cluster."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from binder_federation.config.agent import AgentSettings
from binder_federation.config.federation import FederationSettings
from binder_federation.config.load import load_settings
from tests.support.chart_schema import AGENT, CHARTS, FEDERATION, Chart
from tests.support.custom_kinds import apis, is_custom, problems
from tests.support.helm import Json, Rendered, lint, render, with_values
from tests.support.helm_values import environment_of
from tests.support.kubectl import call, kubectl

FOLDER = CHARTS / "values"
CHART_OF = {"federation": FEDERATION, "cluster-agent": AGENT}
PLACES = ("gke", "eks", "on-prem")
FILES = {
    f"{name}-{place}": (chart, FOLDER / f"{name}-{place}.yaml")
    for name, chart in CHART_OF.items()
    for place in PLACES
}
EACH = pytest.mark.parametrize(("chart", "file"), FILES.values(), ids=FILES.keys())
TEXT = "a-long-random-text-of-the-secret"
FEDERATION_SECRET = {"member-uni-a": TEXT, "redis-password": TEXT, "admin-token": TEXT}
IMAGE_HOST = {
    "gke": "europe-west1-docker.pkg.dev",
    "eks": "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
    "on-prem": "registry.",
}


def values_of(file: Path) -> Json:
    values: Json = yaml.safe_load(file.read_text(encoding="utf-8"))
    return values


def images_of(rendered: Rendered) -> set[str]:
    """Of all containers."""
    pods = [each["spec"]["template"]["spec"] for each in rendered.objects
            if "template" in each.get("spec", {})]  # fmt: skip
    return {container["image"] for pod in pods for container in pod["containers"]}


def test_there_is_no_file_that_nobody_tries() -> None:
    tried = {file for _, file in FILES.values()} | {FOLDER / "gke-backends.yaml"}

    assert set(FOLDER.iterdir()) == tried


@EACH
def test_helm_finds_nothing_to_blame(chart: Chart, file: Path) -> None:
    assert "0 chart(s) failed" in lint(values_of(file), chart=chart)


@pytest.mark.parametrize("place", PLACES)
def test_the_federation_understands_them(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, file = FILES[f"federation-{place}"]
    rendered = render(values_of(file), chart=FEDERATION)
    for name, value in environment_of(rendered, FEDERATION_SECRET).items():
        monkeypatch.setenv(name, value)
    path = tmp_path / "federation.yaml"
    path.write_text(yaml.safe_dump(rendered.federation_yaml()))

    settings = load_settings(FederationSettings, path)

    assert settings.public_url == "https://binder.example.org"
    assert settings.trusted_proxies, "all visitors would share one rate limit"
    assert [member.name for member in settings.members] == ["uni-a"]
    assert settings.redis is not None
    assert all(IMAGE_HOST[place] in image for image in images_of(rendered))


@pytest.mark.parametrize("place", PLACES)
def test_the_agent_understands_them(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, file = FILES[f"cluster-agent-{place}"]
    path = tmp_path / "agent.yaml"
    path.write_text(yaml.safe_dump(render(values_of(file)).agent_yaml()))
    monkeypatch.setenv("BINDERFED_AGENT_JOIN__TOKEN", TEXT)
    if place == "on-prem":
        monkeypatch.setenv("BINDERFED_AGENT_REGISTRY__PASSWORD", TEXT)

    settings = load_settings(AgentSettings, path)

    assert settings.kubernetes.hub.public_url == "https://hub.uni-a.example"
    assert settings.registry.repository.startswith(IMAGE_HOST[place])
    expected = {"gke": "google", "eks": "ecr", "on-prem": "static"}
    assert settings.registry.credentials == expected[place]


def watched(values: Json, chart: Chart) -> Json:
    """With all that other projects' kinds are for."""
    more: Json = {"serviceMonitor": {"enabled": True}}
    if chart is FEDERATION:
        route = {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["b.example"]}
        more |= {"prometheusRule": {"enabled": True}, "dashboards": {"enabled": True},
                 "httpRoute": route}  # fmt: skip
    return with_values(more, values)


@EACH
@pytest.mark.parametrize("is_watched", [False, True], ids=["plain", "watched"])
async def test_the_cluster_takes_every_object(
    chart: Chart, file: Path, is_watched: bool, kubeconfig: str
) -> None:
    version = call("kubectl", "get", "--raw", "/version")
    kube_version = version.partition('"gitVersion": "v')[2].partition('"')[0]
    values = watched(values_of(file), chart) if is_watched else values_of(file)
    rendered = render(values, chart=chart, kube_version=kube_version)
    objects = [{**each, "metadata": {**each["metadata"], "namespace": "default"}}
               for each in rendered.objects]  # fmt: skip

    told = await kubectl(
        "apply", "--dry-run=server", "--validate=true", "--namespace=default", "--filename=-",
        stdin=yaml.safe_dump_all(objects),
    )  # fmt: skip

    assert told.count("dry run") == len(objects)


@EACH
def test_other_projects_kinds_take_every_object(chart: Chart, file: Path) -> None:
    rendered = render(watched(values_of(file), chart), chart=chart, apis=apis())

    found = [each for each in rendered.objects if is_custom(each)]
    more = {"PrometheusRule", "HTTPRoute"} if chart is FEDERATION else set()
    assert {each["kind"] for each in found} == {"ServiceMonitor"} | more
    assert [problem for each in found for problem in problems(each)] == []


def test_services_on_gke_name_what_gke_backends_has() -> None:
    """And their health is asked for where their containers answer."""
    backends = {
        each["metadata"]["name"]: each["spec"].get("healthCheck")
        for each in yaml.safe_load_all((FOLDER / "gke-backends.yaml").read_text(encoding="utf-8"))
    }

    def checks(name: str) -> dict[str, Any]:
        chart, file = FILES[f"{name}-gke"]
        rendered = render(values_of(file), chart=chart)
        (container,) = rendered.one("Deployment")["spec"]["template"]["spec"]["containers"]
        ports = {each["name"]: each["containerPort"] for each in container["ports"]}
        return {
            json.loads(annotations["cloud.google.com/backend-config"])["default"]: ports[target]
            for service in rendered.all("Service")
            if (annotations := service["metadata"].get("annotations"))
            and (target := service["spec"]["ports"][0]["targetPort"])
        }

    named = checks("federation") | checks("cluster-agent")
    assert named == {name: check["port"] for name, check in backends.items() if check}
    assert "binder-https" in backends
