"""The limits of one replica, made once and connected."""

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from binder_federation.binder.messages import Report
from binder_federation.binder.providers import Repositories
from binder_federation.config.federation import FederationSettings
from binder_federation.federation.admission import Admission
from binder_federation.federation.decisions import Decisions
from binder_federation.federation.limits.bots import Bots
from binder_federation.federation.limits.builds import RepositoryBuilds
from binder_federation.federation.limits.live_policy import LivePolicy, Policy
from binder_federation.federation.limits.policy_file import CHECK_EVERY_SECONDS, PolicyFile
from binder_federation.federation.limits.quotas import Quotas
from binder_federation.federation.limits.rate_limiter import RateLimiter
from binder_federation.federation.limits.sessions import RepositorySessions
from binder_federation.federation.limits.shared_key import AGREE_EVERY_SECONDS, SharedKey
from binder_federation.federation.shared.connection import RedisConnection
from binder_federation.federation.visitor_tokens import VisitorTokens
from binder_federation.runtime.tasks import BackgroundTasks

TIDY_SECONDS = 5.0


def hear_report(
    report: Report, sessions: RepositorySessions, decisions: Decisions, *, now: float
) -> None:
    """What a member's report means for quotas: its sessions, and the images that it has."""
    sessions.hear(report, now=now)
    decisions.seen(image.key for image in report.images)


@dataclass(frozen=True, slots=True)
class Limits:
    """What limits launches here."""

    live_policy: LivePolicy
    policy_file: PolicyFile | None
    shared_key: SharedKey
    sessions: RepositorySessions
    builds: RepositoryBuilds
    quotas: Quotas
    admission: Admission
    clock: Callable[[], float]

    @property
    def policy(self) -> Policy:
        """The policy of now."""
        return self.live_policy.current

    async def start(self, tasks: BackgroundTasks) -> None:
        """Read the policy and agree on a key; then keep doing so."""
        await self.shared_key.agree()
        tasks.run_periodically(
            self.shared_key.agree, every_seconds=AGREE_EVERY_SECONDS, name="visitor-key"
        )
        tasks.run_periodically(self._tidy, every_seconds=TIDY_SECONDS, name="tidy-limits")
        if self.policy_file is not None:
            await self.policy_file.check()
            tasks.run_periodically(
                self.policy_file.check, every_seconds=CHECK_EVERY_SECONDS, name="policy-file"
            )

    async def _tidy(self) -> None:
        self.sessions.forget_old(now=self.clock())


def make_limits(
    settings: FederationSettings,
    *,
    repositories: Repositories,
    redis: RedisConnection | None,
    registry: CollectorRegistry,
    clock: Callable[[], float],
) -> Limits:
    """The limits that `settings` ask for."""
    live = LivePolicy(settings.policy)
    sessions = RepositorySessions(session_seconds=settings.estimates.session_seconds)
    builds = RepositoryBuilds()
    quotas = Quotas(policy=live.get, sessions=sessions, builds=builds, clock=clock)
    shared_key = SharedKey(connection=None if settings.tokens.keys else redis)
    admission = Admission(
        policy=live.get,
        repositories=repositories,
        tokens=_make_tokens(settings, shared_key, clock, is_alone=redis is None),
        limiter=RateLimiter(policy=live.get, connection=redis, clock=clock),
        quotas=quotas,
        clock=clock,
        requires_token=settings.tokens.required,
        bots=Bots(settings.bots),
        admin_token=settings.admin.token.get_secret_value() if settings.admin.token else "",
    )
    return Limits(
        live_policy=live,
        policy_file=_make_policy_file(settings, live, registry),
        shared_key=shared_key,
        sessions=sessions,
        builds=builds,
        quotas=quotas,
        admission=admission,
        clock=clock,
    )


def _make_tokens(
    settings: FederationSettings,
    shared_key: SharedKey,
    clock: Callable[[], float],
    *,
    is_alone: bool,
) -> VisitorTokens:
    keys = tuple(key.get_secret_value() for key in settings.tokens.keys)
    return VisitorTokens(
        keys=(lambda: keys) if keys else shared_key.keys,
        clock=clock,
        lifetime_seconds=settings.tokens.lifetime_seconds,
        knows_all_keys=bool(keys) or is_alone,
        checks_origin=settings.tokens.check_origin,
    )


def _make_policy_file(
    settings: FederationSettings, live: LivePolicy, registry: CollectorRegistry
) -> PolicyFile | None:
    if settings.policy_file is None:
        return None
    return PolicyFile(
        path=settings.policy_file, base=settings.policy, policy=live, registry=registry
    )
