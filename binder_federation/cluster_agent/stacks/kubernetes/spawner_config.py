"""How the managed hub of the Kubernetes stack starts servers: as pods, by KubeSpawner.

`plan_hub` is read by the agent, `configure_spawner` runs inside the hub's process. Servers
outlive their hub: the next one finds them in its database.
"""

import os
from pathlib import Path
from typing import Any

from binder_federation.cluster_agent.stacks.kubernetes.isolation import (
    container_security,
    disk_limits,
    disk_requests,
    egress_limit,
    pod_fields,
    pod_security,
)
from binder_federation.cluster_agent.stacks.kubernetes.labels import (
    PROJECT,
    Component,
    labels_of,
)
from binder_federation.cluster_agent.stacks.kubernetes.pulling import pull_policy
from binder_federation.cluster_agent.stacks.kubernetes.spawner import SessionPodSpawner
from binder_federation.cluster_agent.stacks.managed_hub.hub import HubPlan
from binder_federation.cluster_agent.stacks.managed_hub.run_settings import RunSettings
from binder_federation.config.agent import AgentSettings
from binder_federation.config.isolation import IsolationSettings
from binder_federation.config.resources import ResourceSettings
from binder_federation.config.stacks.kubernetes import UserPodSettings

_CLUSTER_VARIABLES = (
    "KUBECONFIG",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
)
_TEMPORARY = "temporary"


def plan_hub(
    settings: AgentSettings, *, namespace: str, most_sessions: int, kubeconfig: Path | None
) -> HubPlan:
    """The managed hub. `kubeconfig` stands in for KUBECONFIG, for a context of its own."""
    kubernetes, state_dir = settings.kubernetes, settings.state_dir.absolute()
    variables = {name: os.environ[name] for name in _CLUSTER_VARIABLES if name in os.environ}
    if kubeconfig is not None:
        variables["KUBECONFIG"] = str(kubeconfig)
    return HubPlan(
        folder=state_dir / "hub",
        owner_mark=str(state_dir),
        host=kubernetes.hub.host,
        port=kubernetes.hub.port,
        port_setting="kubernetes.hub.port",
        most_sessions=most_sessions,
        spawner_module=__name__,
        spawner={
            "member": settings.name,
            "namespace": namespace,
            "user": {
                **kubernetes.user.model_dump(mode="json"),
                "image_pull_policy": pull_policy(settings),
            },
            "project_image": kubernetes.build.image,
            "project_image_pull_policy": kubernetes.build.image_pull_policy,
            "isolation": settings.isolation.model_dump(mode="json"),
            "resources": settings.resources.model_dump(mode="json"),
            "unschedulable_seconds": (
                None if kubernetes.is_autoscaled else kubernetes.unschedulable_seconds
            ),
        },
        public_url=kubernetes.hub.public_url or "",
        database=state_dir / "hub.sqlite",
        variables=variables,
    )


def configure_spawner(config: Any, settings: RunSettings) -> None:
    """Fill JupyterHub's configuration object, inside the hub's process."""
    given = settings.spawner
    isolation = IsolationSettings.model_validate(given["isolation"])
    config.JupyterHub.spawner_class = SessionPodSpawner
    spawner = config.SessionPodSpawner
    spawner.namespace = given["namespace"]
    spawner.resources = ResourceSettings.model_validate(given["resources"]).model_dump()
    spawner.unschedulable_seconds = given["unschedulable_seconds"]
    spawner.may_be_root = not isolation.run_as_non_root or isolation.run_as_user == 0
    spawner.pod_name_template = "session-{user_server}"
    spawner.component_label = Component.SERVER.value
    spawner.common_labels = {"app.kubernetes.io/managed-by": PROJECT}
    spawner.poll_interval = 5
    spawner.http_timeout = 30
    spawner.apply_user_options = lambda _spawner, _options: None  # `start` reads them
    _configure_pod(spawner, UserPodSettings.model_validate(given["user"]), member=given["member"])
    _configure_isolation(spawner, isolation)
    if (megabits := given["user"]["egress_megabits"]) is not None:
        limit = egress_limit(isolation, megabits=megabits, image=given["project_image"])
        policy = {"imagePullPolicy": given["project_image_pull_policy"]}
        spawner.init_containers = [{**limit, **policy}]


def _configure_pod(spawner: Any, user: UserPodSettings, *, member: str) -> None:
    spawner.port = user.port
    spawner.image_pull_policy = user.image_pull_policy
    spawner.image_pull_secrets = user.image_pull_secrets
    spawner.image_pull_tries = user.image_pull_tries
    spawner.node_selector = user.node_selector
    spawner.tolerations = user.tolerations
    spawner.extra_labels = {**user.labels, **labels_of(member, Component.SERVER)}
    spawner.extra_annotations = user.annotations


def _configure_isolation(spawner: Any, isolation: IsolationSettings) -> None:
    fields = pod_fields(isolation)
    spawner.automount_service_account_token = fields.pop("automountServiceAccountToken")
    spawner.allow_privilege_escalation = isolation.allow_privilege_escalation
    spawner.pod_security_context = pod_security(isolation)
    spawner.container_security_context = container_security(isolation)
    spawner.extra_resource_limits = disk_limits(isolation)
    spawner.extra_resource_guarantees = disk_requests(isolation)
    # A server that ended is not started again: the visitor's files went with it.
    spawner.extra_pod_config = {"restartPolicy": "Never", **fields}
    if isolation.read_only_root:
        spawner.volumes = [{"name": _TEMPORARY, "emptyDir": {}}]
        spawner.volume_mounts = [{"name": _TEMPORARY, "mountPath": "/tmp"}]  # noqa: S108
