"""Settings of a cluster agent: `binderfed-agent serve --config agent.yaml`."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from binder_federation.config.credentials import Credential
from binder_federation.config.federation import HttpUrl, MemberName
from binder_federation.config.isolation import IsolationSettings
from binder_federation.config.join import JoinSettings
from binder_federation.config.launch_events import AgentLaunchEventSettings
from binder_federation.config.limits import Cidr, ForwardedHeaders
from binder_federation.config.providers import ProviderSettings, Seconds, Section
from binder_federation.config.registry import RegistrySettings
from binder_federation.config.resources import PatternSettings, ResourceSettings
from binder_federation.config.stacks.docker import DockerStackSettings
from binder_federation.config.stacks.kubernetes import KubernetesStackSettings
from binder_federation.config.telemetry import TelemetrySettings
from binder_federation.config.warm import WarmSettings
from binder_federation.runtime.log_format import LogFormat


class LocalStackSettings(Section):
    """The local stack: environments in folders, sessions as processes of this user."""

    hub_host: str = "127.0.0.1"
    hub_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Where users' browsers reach JupyterHub's proxy; 0 takes a free port."""
    image_bytes_limit: Annotated[int, Field(gt=0)] = 20_000_000_000
    """Least recently used images go when all of them together are larger."""
    allow_python_downloads: bool = False
    """Whether uv may download a Python that `runtime.txt` asks for and the machine lacks."""


HUB_LATER_SECONDS = 10.0
"""The hub's own culler waits for so much longer than the agent, and two of its rounds."""


class AgentLaunchSettings(Section):
    """Starting servers."""

    concurrent: Annotated[int, Field(ge=1)] = 4
    """Servers that start at the same time; further launches wait and say so."""
    timeout_seconds: Seconds = 600.0
    retries: Annotated[int, Field(ge=0)] = 4
    retry_first_seconds: Seconds = 4.0
    grace_seconds: Seconds = 60.0
    """A launch whose federation went away without a word goes on for so long."""
    kept_seconds: Seconds = 120.0
    """What a launch came to can be asked for again for so long after its end."""
    hold_seconds: Seconds = 60.0
    """The stream stays open after its last event for so long, as BinderHub's does: an EventSource
    whose server closes first connects anew."""
    pre_launch_hook: str = ""
    """`package.module:function`, called before each server's start (docs/members.md)."""
    named_servers: bool = False
    """Servers for visitors who are logged in, as the federation says (docs/members.md)."""
    named_servers_per_user: Annotated[int, Field(ge=1)] = 3
    cull_idle_seconds: Seconds = 600.0
    """A server whose kernels and terminals nobody used for so long is ended."""
    cull_without_kernels_seconds: Seconds = 3600.0
    """While there is neither, requests count as use for so long; an open tab sends some by
    itself. With jupyter-server-proxy (RStudio, applications) they count until `max_age_seconds`."""
    cull_every_seconds: Seconds = 60.0
    max_age_seconds: Seconds = 21_600.0
    """A session ends when it has lasted so long, in use or not."""


class Repo2dockerSettings(Section):
    """Passed on to repo2docker, which makes the images of the Docker and Kubernetes stacks."""

    base_image: str = ""
    """What images are built on; empty: repo2docker's own."""
    build_args: dict[str, str] = Field(default_factory=dict)
    appendix: str = ""
    """Dockerfile commands at the end of each image."""
    user_id: Annotated[int, Field(ge=1)] = 1000
    buildx_args: list[str] = Field(default_factory=list)
    """Further arguments of `docker buildx build`, such as `--network=host`."""
    memory_limit: str = ""
    """Of one build, such as `2G`: a cgroup of the engine's machine (Docker stack, as root)."""
    traits: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Further settings of repo2docker, by class: `{"Repo2Docker": {"platform": …}}`."""


class AgentBuildSettings(Section):
    """Making images."""

    slots: Annotated[int, Field(ge=1)] = 2
    timeout_seconds: Seconds = 1800.0
    log_tail_lines: Annotated[int, Field(ge=1)] = 100
    repo2docker: Repo2dockerSettings = Repo2dockerSettings()
    """Docker and Kubernetes: how images are made."""


class QuotaSettings(Section):
    """How many sessions at once. 0 for `sessions` is maintenance: none."""

    sessions: Annotated[int, Field(ge=0)] | None = None
    """All of them; None lets the stack choose what the machine can carry."""
    sessions_per_repository: Annotated[int, Field(ge=1)] = 100


class AgentSettings(BaseSettings):
    """All of it. Environment: `BINDERFED_AGENT_NAME=alpha`, `…_BUILD__SLOTS=4`."""

    model_config = SettingsConfigDict(
        env_prefix="BINDERFED_AGENT_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    name: MemberName = "unnamed"
    """As the federation knows it; an agent that has joined has it from its invitation."""
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8585
    federation_url: HttpUrl | None = None
    """Where reports go; without it the agent serves, and reports to nobody."""
    credential: Credential | None = None
    """Shared with the federation alone, unless it comes by `join`."""
    old_credentials: tuple[Credential, ...] = ()
    """Still taken while the credential is replaced (docs/limits.md)."""
    join: JoinSettings = JoinSettings()
    """Instead of a credential: an invitation (docs/joining.md)."""
    trusted_proxies: tuple[Cidr, ...] = ()
    """Networks of proxies before an open agent: what they say of the visitor is believed."""
    forwarded_headers: ForwardedHeaders = ForwardedHeaders.X_FORWARDED
    """Which of the headers they set."""
    open_builds: bool = False
    """Whether anybody who reaches this agent may build and launch, without a build token."""
    report_every_seconds: Seconds = 3.0
    keepalive_seconds: Seconds = 10.0
    state_dir: Path = Path(".binderfed/agent")
    stack: Literal["local", "docker", "kubernetes"] = "local"
    local: LocalStackSettings = LocalStackSettings()
    docker: DockerStackSettings = DockerStackSettings()
    kubernetes: KubernetesStackSettings = KubernetesStackSettings()
    registry: RegistrySettings = RegistrySettings()
    """Docker and Kubernetes: where images are kept."""
    isolation: IsolationSettings = IsolationSettings()
    """Docker and Kubernetes: how servers and builds are kept apart."""
    resources: ResourceSettings = ResourceSettings()
    """Docker and Kubernetes: what one server gets."""
    patterns: list[PatternSettings] = Field(default_factory=list)
    """Other settings for some repositories."""
    build: AgentBuildSettings = AgentBuildSettings()
    launch: AgentLaunchSettings = AgentLaunchSettings()
    quota: QuotaSettings = QuotaSettings()
    warm: WarmSettings = WarmSettings()
    launch_events: AgentLaunchEventSettings = AgentLaunchEventSettings()
    providers: ProviderSettings = ProviderSettings()
    log_level: str = "info"
    log_format: LogFormat = "auto"
    """`console` for people, `json`, `ecs` (JSON for ELK); `auto`: on a terminal `console`, else
    `json`."""
    telemetry: TelemetrySettings = TelemetrySettings()

    @property
    def longest_launch(self) -> AgentLaunchSettings:
        """`launch` with the longest times that any pattern allows, and some more: for the hub's own
        culler, which knows no repositories, nor how long a warm server waited for its visitor. It
        ends what an agent that is away does not, and is not to be quicker than the agent."""
        idle = [each.cull_idle_seconds or 0.0 for each in self.patterns]
        age = [each.max_age_seconds or 0.0 for each in self.patterns]
        idle_seconds = max(self.launch.cull_idle_seconds, *idle, 0.0)
        age_seconds = max(self.launch.max_age_seconds, *age, 0.0)
        later = HUB_LATER_SECONDS + 2 * self.launch.cull_every_seconds
        return self.launch.model_copy(
            update={
                "cull_idle_seconds": idle_seconds + later,
                "max_age_seconds": age_seconds + self.warm.max_age_seconds,
            }
        )

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        if self.credential is not None:
            if "name" not in self.model_fields_set:
                raise ValueError("name: missing; the one that the federation knows this member by")
            if self.join.url is not None:
                raise ValueError("credential: the invitation of `join` brings one, take it out")
        elif self.old_credentials:
            raise ValueError("old_credentials: they stand beside a credential, which is missing")
        if self.join.token is not None and self.join.url is None:
            raise ValueError("join.url: missing; the address of the federation that invited")
        if self.join.url and self.federation_url and self.join.url != self.federation_url:
            raise ValueError("federation_url: join.url is another one, take one of them out")
        return self
