"""Settings of the Kubernetes stack. Names and shapes of Kubernetes' own objects are its own."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from binder_federation.config.federation import HttpUrl
from binder_federation.config.providers import Seconds, Section


class KubernetesHubSettings(Section):
    """JupyterHub: run by the agent beside itself, or one that is there (Zero to JupyterHub)."""

    mode: Literal["managed", "external"] = "managed"
    host: str = "0.0.0.0"  # noqa: S104 - a pod's own address
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """Where a managed hub's proxy listens."""
    public_url: HttpUrl | None = None
    """Where users' browsers reach the hub's proxy; needed in both modes."""
    proxy_url: HttpUrl | None = None
    """External: where the agent reaches the same proxy, if not at `public_url`
    (`http://proxy-public`): each server is asked there before a visitor is sent to it."""
    api_url: HttpUrl | None = None
    """External: `http://hub:8081/hub/api`, as the agent reaches it."""
    api_token: SecretStr = SecretStr("")
    """External: the token of the hub's service for this agent."""


class BuildPodSettings(Section):
    """The pods that build."""

    image: str = "binder-federation:latest"
    """The project's own container image: it has repo2docker, git and a Docker client."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    image_pull_secrets: list[str] = Field(default_factory=list)
    engine_socket: str = "/var/run/docker.sock"
    """A node's Docker or Podman socket, mounted from the host. Who reaches it is as good as root
    on that node: the project's own code in the pod alone does, what is built never."""
    run_as_user: Annotated[int, Field(ge=0)] = 65532
    """The user in the pod, also its group. It is root (0) only if isolation.run_as_non_root is
    false."""
    engine_groups: list[int] = Field(default_factory=list)
    """Further groups in the pod: the one that owns the engine's socket, on the nodes."""
    buildkit_address: str = ""
    """`tcp://buildkitd:1234`: a BuildKit instead of a socket; it pushes what it builds, so it
    needs registry.repository."""
    cpu_request: str = "100m"
    cpu_limit: str = ""
    memory_request: str = "256Mi"
    memory_limit: str = "1Gi"
    """Of the pod, which fetches and asks the engine to build; the build itself is the engine's."""
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: list[dict[str, Any]] = Field(default_factory=list)
    are_sticky: bool = True
    """Builds of one repository prefer the node of the last one, whose cache has its layers."""
    push_secret: str = ""
    """An existing Secret of type kubernetes.io/dockerconfigjson, for pushing. Without it the
    agent's own registry credentials are handed to each build, in a Secret that ends with it."""
    scratch_limit: str = "10Gi"
    """What a build's pod may write: the checkout and what goes to the engine with it."""
    starting_seconds: Seconds = 300.0
    """A pod that does not run after so long (no node takes it, an image or a Secret is missing)
    is given up."""
    kept_seconds: Seconds = 600.0
    """A failed build's pod is kept so long, for its operator to look at."""
    refused_seconds: Seconds = 60.0
    """After the cluster refused a build for its quota, none is tried for so long."""


class UserPodSettings(Section):
    """The pods of users' servers."""

    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: list[dict[str, Any]] = Field(default_factory=list)
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    """None: `IfNotPresent` with a registry, else `Never`. What was built without one has a name
    that a registry on the internet may have as well, and then it is somebody else's image."""
    image_pull_secrets: list[str] = Field(default_factory=list)
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    port: Annotated[int, Field(ge=1024, le=65535)] = 8888
    egress_megabits: Annotated[float, Field(gt=0, le=100_000)] | None = None
    """How much one server may send, in Mbit/s. An init container from `build.image` sets it (tc),
    as root with the capability NET_ADMIN, which the namespace must allow."""
    image_pull_tries: Annotated[int, Field(ge=1)] = 3
    """A server whose image cannot be pulled so many times has failed. (The cluster itself would
    try for ever.)"""


class KubernetesStackSettings(Section):
    """One namespace of a cluster."""

    namespace: str = ""
    """Where builds and servers run; empty: the agent's own, or the context's."""
    context: str = ""
    """Outside of a cluster: the context of the kubeconfig file to use."""
    hub: KubernetesHubSettings = KubernetesHubSettings()
    build: BuildPodSettings = BuildPodSettings()
    user: UserPodSettings = UserPodSettings()
    may_read_nodes: bool = True
    """Whether the agent is allowed to list nodes: which images they hold, what room they have."""
    is_autoscaled: bool = False
    """Whether nodes are added when pods find no place. Then pods may wait for them, and what the
    nodes have left does not limit the member: its quota does."""
    unschedulable_seconds: Seconds = 10.0
    """A server's pod that finds no node for so long has failed, unless nodes are added for it:
    another member may have room."""
    full_seconds: Seconds = 15.0
    """After the cluster refused a pod for its quota, no more sessions are offered for so long."""
    stuck_after_seconds: Seconds = 300.0
    """A pod that is Pending or Terminating for longer counts as stuck."""
    most_stuck: Annotated[int, Field(ge=1)] = 10
    """With so many stuck pods the member is not well."""
    force_delete_after_seconds: Seconds | None = None
    """A pod that is Terminating for so long is forgotten, though its node may still run it (a node
    that is gone for good never says). None: an operator decides."""
    prepull_nodes: Annotated[int, Field(ge=1)] = 2
    """On how many nodes an image is put when the federation asks to prepare it."""
