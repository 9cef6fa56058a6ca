"""Settings of the federation: `binderfed serve --config federation.yaml`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from binder_federation.config.admin import AdminSettings
from binder_federation.config.cors import CorsSettings
from binder_federation.config.credentials import Credential
from binder_federation.config.joining import JoiningSettings
from binder_federation.config.launch_events import FederationLaunchEventSettings
from binder_federation.config.limits import BotSettings, Cidr, ForwardedHeaders, TokenSettings
from binder_federation.config.pages import PageSettings
from binder_federation.config.policy import PolicySettings
from binder_federation.config.prebuild import PrebuildSettings
from binder_federation.config.providers import ProviderSettings, Seconds, Section
from binder_federation.config.steering import SteeringSettings
from binder_federation.config.telemetry import TelemetrySettings
from binder_federation.runtime.log_format import LogFormat

MEMBER_NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"

RESERVED_NAMES = frozenset(
    {
        "admin",
        "all",
        "any",
        "anybody",
        "binder",
        "federation",
        "invitation",
        "none",
        "nobody",
        "unknown",
    }
)
"""Words that stand for something else in metrics, in the audit and in commands."""


def _is_free(name: str) -> str:
    if name in RESERVED_NAMES:
        raise ValueError(f"{name!r} is no name for a member: it has a meaning already")
    return name


MemberName = Annotated[str, Field(pattern=MEMBER_NAME_PATTERN), AfterValidator(_is_free)]


def _http_url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must be a URL that begins with http:// or https://")
    return value.rstrip("/")


HttpUrl = Annotated[str, AfterValidator(_http_url)]


Share = Annotated[float, Field(ge=0, le=1)]


class MemberKind(StrEnum):
    """What a member runs."""

    AGENT = "agent"
    """Our cluster agent: it reports, and takes launches with a token."""
    BINDERHUB = "binderhub"
    """An unmodified BinderHub: only its address is known, and what its `/health` says."""


class MemberSettings(Section):
    """One member, as the federation's operator knows it."""

    name: MemberName
    kind: MemberKind = MemberKind.AGENT
    url: HttpUrl
    """The address of the cluster agent, or of the BinderHub, as the federation reaches it."""
    public_url: HttpUrl | None = None
    """The same address as visitors' browsers reach it, for `launch.mode: redirect`;
    by default `url`."""
    credential: Credential | None = None
    """Shared with this member alone: it signs its reports' requests and our build tokens.
    A BinderHub has none."""
    old_credentials: tuple[Credential, ...] = ()
    """Reports that bring one of these are taken while the credential is replaced."""
    weight: Annotated[float, Field(gt=0)] = 1.0
    draining: bool = False
    pod_headroom: Annotated[int, Field(ge=0)] = 0
    """Of a BinderHub: places below its pod quota that are left to visitors who come another way."""
    takes_build_only: bool = False
    """Of a BinderHub: whether it runs with `enable_api_only_mode`, without which it refuses to
    build an image that it does not launch."""
    uses_page_tokens: bool = True
    """Of a BinderHub: whether launches that its rate limit refuses are asked for again with a build
    token from its launch page, as browsers do."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind is MemberKind.AGENT:
            if self.credential is None:
                raise ValueError("credential: an agent needs one; a BinderHub is kind: binderhub")
            if self.pod_headroom or self.takes_build_only or not self.uses_page_tokens:
                names = "pod_headroom, takes_build_only and uses_page_tokens"
                raise ValueError(f"{names} are for kind: binderhub")
        elif self.credential is not None:
            raise ValueError("credential: a BinderHub has none, take it out")
        return self


class HealthSettings(Section):
    """When a member counts as well. The numbers are explained in docs/architecture.md."""

    probe_every_seconds: Seconds = 10.0
    probe_timeout_seconds: Seconds = 2.0
    binderhub_answer_seconds: Seconds = 10.0
    """The same for a BinderHub once it is connected to: it may ask its hub and its registry three
    times, with pauses, before it says that one of them is not well."""
    misses_to_suspect: Annotated[int, Field(ge=1)] = 2
    misses_to_down: Annotated[int, Field(ge=1)] = 3
    """Further misses, after it became SUSPECT."""
    down_probe_max_seconds: Seconds = 60.0
    passes_to_recover: Annotated[int, Field(ge=1)] = 3
    recover_after_seconds: Annotated[float, Field(ge=0)] = 30.0
    slow_start_seconds: Seconds = 900.0
    slow_start_floor: Annotated[float, Field(gt=0, le=1)] = 0.1
    panic_below: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Panic when the share of the weight that is available is under this."""
    panic_memory_seconds: Seconds = 600.0
    review_seconds: Seconds = 1.0
    """How often all members are looked at together: votes, what time ends, ourselves."""
    success_memory_seconds: Seconds = 300.0
    """How long a launch's outcome counts: in so long its worth fades to a third."""
    failures_to_eject: Annotated[int, Field(ge=1)] = 5
    """Infrastructure failures in a row, launches only."""
    eject_below: Share = 0.6
    """Ejected when the success rate is, at 95 %, under this share of the other members'."""
    eject_seconds: Seconds = 30.0
    """Of the first ejection; the second takes twice as long, and so on."""
    eject_max_seconds: Seconds = 300.0
    eject_most: Share = 0.5
    """The share of the members that may be ejected at once, rounded down."""
    eject_forget_seconds: Seconds = 300.0
    """A member that stays well for so long has been ejected once less."""
    eject_ramp_seconds: Seconds = 60.0
    """Slow start after an ejection; a failure in this time ejects again at once."""
    degrade_below: Share = 0.85
    """DEGRADED when the success rate is, at 95 %, under this share of the other members'."""
    degrade_least_launches: Annotated[float, Field(ge=0)] = 5.0
    """With fewer recent launches than this nobody is DEGRADED for its success rate."""
    self_suspicion_patience: Annotated[float, Field(ge=1)] = 2.0
    """Members that fail together are DOWN after so many times the usual misses: it may be us."""


class EstimateSettings(Section):
    """Seconds and sizes that the decision starts from, until members report better ones."""

    spawn_seconds: Seconds = 10.0
    build_seconds: Seconds = 180.0
    push_seconds: Seconds = 20.0
    pull_base_seconds: Seconds = 5.0
    bandwidth_bytes_per_second: Annotated[float, Field(gt=0)] = 100e6
    image_bytes: Annotated[int, Field(gt=0)] = 1_500_000_000
    """Assumed when an image's size is not known."""
    session_seconds: Seconds = 1500.0
    """How long a session lasts in the mean: what is gone since a report, what a hot image needs."""


class CopySettings(Section):
    """Copies of hot images, made at further members before they are needed there."""

    enabled: bool = True
    check_every_seconds: Seconds = 5.0
    after_seconds: Annotated[float, Field(ge=0)] = 60.0
    """An image must have been asked for so long. Those who come together are all served
    before a copy could be there, so a class that begins causes no build elsewhere."""
    most_at_once: Annotated[int, Field(ge=1)] = 20


class LaunchMode(StrEnum):
    """How a visitor gets to the member that was chosen."""

    STREAM = "stream"
    """The federation relays the member's events, and goes on elsewhere when it fails."""
    REDIRECT = "redirect"
    """A 307 to the member: visitors' browsers talk to it directly."""


class LaunchSettings(Section):
    """One launch: how long it may take, how often it is tried."""

    mode: LaunchMode = LaunchMode.STREAM
    attempts: Annotated[int, Field(ge=1)] = 4
    connect_seconds: Seconds = 5.0
    silence_seconds: Seconds = 45.0
    """A member whose stream brings not even a keepalive for so long has failed."""
    deadline_seconds: Seconds = 3600.0
    keepalive_seconds: Seconds = 15.0
    resume_seconds: Seconds = 120.0
    """A launch that nobody watches any more is given up after so long."""
    hold_seconds: Seconds = 60.0
    """The stream stays open after its last event for so long, as BinderHub's does."""
    kept_events: Annotated[int, Field(ge=10)] = 1000
    kept_seconds: Seconds = 1200.0
    """A launch that ended can be resumed (read again) for so long."""
    most_at_once: Annotated[int, Field(ge=1)] = 5000
    sticky_hours: Annotated[float, Field(ge=0)] = 4.0
    """With `mode: redirect`, how long a cookie remembers the member of a visitor's last launch of
    a link; 0 sets none."""


def _redis_url(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must be a URL that begins with redis://, rediss:// or unix://")
    return value


class RedisSettings(Section):
    """Redis 7 or Valkey, through which replicas share what they know. It may go away."""

    url: Annotated[SecretStr, AfterValidator(_redis_url)]
    """`redis://host:6379/0`, `rediss://…` with TLS, `unix:///path/to/socket`."""
    password: SecretStr | None = None
    """Here rather than in the URL, so that it can come from the environment."""
    tls_ca_file: str | None = None
    """The authority that signed Redis' certificate, when the system does not know it."""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$")] = "bf"
    """Key names begin with it: federations that share a Redis need different ones."""
    deadline_seconds: Seconds = 0.025
    """The longest that a launch waits for Redis."""
    background_deadline_seconds: Seconds = 2.0
    """The longest that anything else waits for it."""
    most_connections: Annotated[int, Field(ge=2)] = 32

    @model_validator(mode="after")
    def _tls_fits(self) -> Self:
        if self.tls_ca_file and not self.url.get_secret_value().startswith("rediss://"):
            raise ValueError("tls_ca_file is only for a URL that begins with rediss://")
        return self


class FederationSettings(BaseSettings):
    """All of it. Environment: `BINDERFED_PORT=9000`, `BINDERFED_LAUNCH__ATTEMPTS=2`."""

    model_config = SettingsConfigDict(
        env_prefix="BINDERFED_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    public_url: HttpUrl | None = None
    """What visitors' browsers use; by default the request's own host."""
    members: tuple[MemberSettings, ...] = ()
    providers: ProviderSettings = ProviderSettings()
    health: HealthSettings = HealthSettings()
    estimates: EstimateSettings = EstimateSettings()
    copies: CopySettings = CopySettings()
    launch: LaunchSettings = LaunchSettings()
    builds: PrebuildSettings = PrebuildSettings()
    launch_events: FederationLaunchEventSettings = FederationLaunchEventSettings()
    admin: AdminSettings = AdminSettings()
    cors: CorsSettings = CorsSettings()
    trusted_proxies: tuple[Cidr, ...] = ()
    """Networks of the proxies before us: what they say of the visitor is believed."""
    forwarded_headers: ForwardedHeaders = ForwardedHeaders.X_FORWARDED
    """Which of the headers they set; the others may be a visitor's own."""
    tokens: TokenSettings = TokenSettings()
    bots: BotSettings = BotSettings()
    policy: PolicySettings = PolicySettings()
    policy_file: Path | None = None
    """Parts of `policy` that are read again whenever this file changes (docs/limits.md)."""
    redis: RedisSettings | None = None
    """Needed for more than one replica."""
    steering: SteeringSettings = SteeringSettings()
    joining: JoiningSettings = JoiningSettings()
    pages: PageSettings = PageSettings()
    example: str | None = None
    """A launch path (`v2/…`) that the home page offers as an example."""
    log_level: str = "info"
    log_format: LogFormat = "auto"
    """`console` for people, `json`, `ecs` (JSON for ELK); `auto`: on a terminal `console`, else
    `json`."""
    telemetry: TelemetrySettings = TelemetrySettings()

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [member.name for member in self.members]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"members: the name {twice[0]!r} is used twice")
        return self
