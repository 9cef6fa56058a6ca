"""Everything that one agent owns, made once and closed in order."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx
from aiohttp import web

from binder_federation import __version__
from binder_federation.binder.launch_events.log import LaunchEventLog, open_launch_event_log
from binder_federation.binder.messages import LoadRecord
from binder_federation.binder.providers import ProviderMetrics, make_providers
from binder_federation.binder.providers.base import RepoProvider
from binder_federation.binder.resolver import MemoryRefCache, Resolver
from binder_federation.cluster_agent import housekeeping
from binder_federation.cluster_agent.admission import Admission
from binder_federation.cluster_agent.builds import Builds
from binder_federation.cluster_agent.checks import check_records, make_checks
from binder_federation.cluster_agent.core.quotas import Quota, most_used
from binder_federation.cluster_agent.draining import Draining
from binder_federation.cluster_agent.encoded_events import EncodedEvents
from binder_federation.cluster_agent.ended_launches import EndedLaunches
from binder_federation.cluster_agent.gauges import AgentGauges
from binder_federation.cluster_agent.hooks import Hook, load_hook
from binder_federation.cluster_agent.hub_api import HubApi, RetryPolicy
from binder_federation.cluster_agent.idle.culling import Culling
from binder_federation.cluster_agent.inventory import Inventory
from binder_federation.cluster_agent.launcher import Launcher
from binder_federation.cluster_agent.launches import Launches
from binder_federation.cluster_agent.membership.identity import Identity
from binder_federation.cluster_agent.membership.wiring import Membership, open_membership
from binder_federation.cluster_agent.metrics import AgentMetrics
from binder_federation.cluster_agent.policy import HeldPolicy
from binder_federation.cluster_agent.removal import Removals
from binder_federation.cluster_agent.reporter import Reporter
from binder_federation.cluster_agent.sessions import Sessions
from binder_federation.cluster_agent.stacks.base import Stack
from binder_federation.cluster_agent.stacks.choose import make_stack
from binder_federation.cluster_agent.streams import LaunchStreams
from binder_federation.cluster_agent.warm.pool import WarmPool
from binder_federation.cluster_agent.warm.wiring import make_pool
from binder_federation.config.agent import AgentSettings
from binder_federation.health.checks import HealthChecks
from binder_federation.runtime.bounded import MOST_SESSIONS
from binder_federation.runtime.process_metrics import ProcessMetrics
from binder_federation.runtime.scrubbing import find_secrets
from binder_federation.runtime.tasks import BackgroundTasks
from binder_federation.runtime.tls import known_authorities
from binder_federation.runtime.tracing import Tracing, open_tracing

Providers = Mapping[str, RepoProvider]


@dataclass(frozen=True, slots=True)
class AgentContext:
    """What the handlers and the loops work with."""

    settings: AgentSettings
    stack: Stack
    providers: Providers
    identity: Identity
    membership: Membership
    admission: Admission
    policy: HeldPolicy
    sessions: Sessions
    inventory: Inventory
    removals: Removals
    culling: Culling
    reporter: Reporter
    streams: LaunchStreams
    warm: WarmPool
    encoded_events: EncodedEvents
    draining: Draining
    health_checks: HealthChecks
    metrics: AgentMetrics
    tasks: BackgroundTasks


CONTEXT: web.AppKey[AgentContext] = web.AppKey("context", AgentContext)


@asynccontextmanager
async def open_context(settings: AgentSettings, stack: Stack | None) -> AsyncIterator[AgentContext]:
    """Start the stack and make the context; leaving it ends every task, then the stack."""
    headers = {"User-Agent": f"binder-federation/{__version__}"}
    async with AsyncExitStack() as resources:
        tls = known_authorities()
        client = await resources.enter_async_context(
            httpx.AsyncClient(
                headers=headers, verify=tls, timeout=settings.providers.timeout_seconds
            )
        )
        membership = await resources.enter_async_context(open_membership(settings, client))
        hook = load_hook(settings.launch.pre_launch_hook)
        stack = stack or make_stack(settings)
        resources.push_async_callback(stack.aclose)
        await stack.start()
        # The hub is next door: no proxy for outgoing requests leads to it. A launch keeps a
        # progress stream open, and the launcher limits how many there are.
        hub_client = await resources.enter_async_context(
            httpx.AsyncClient(
                headers=headers,
                verify=tls,
                trust_env=False,
                limits=httpx.Limits(max_connections=None),
            )
        )
        tracing = await resources.enter_async_context(
            open_tracing(
                endpoint=settings.telemetry.otlp_endpoint,
                headers=settings.telemetry.plain_headers,
                service="binder-cluster-agent",
                sample_ratio=settings.telemetry.sample_ratio,
                timeout_seconds=settings.telemetry.timeout_seconds,
                secrets=find_secrets(settings),
            )
        )
        metrics = AgentMetrics()
        launch_events = await resources.enter_async_context(
            open_launch_event_log(
                settings.launch_events,
                clock=time.time,
                registry=metrics.registry,
                metric="binderfed_agent_launch_events_total",
            )
        )
        providers = make_providers(
            settings.providers, client, metrics=ProviderMetrics.make(metrics.registry)
        )
        resolver = Resolver(
            providers=providers, cache=MemoryRefCache(), settings=settings.providers
        )
        resources.push_async_callback(resolver.aclose)
        tasks = BackgroundTasks()
        resources.push_async_callback(tasks.aclose)
        yield _wire(
            settings,
            stack=stack,
            client=client,
            membership=membership,
            hub_client=hub_client,
            providers=providers,
            resolver=resolver,
            metrics=metrics,
            tracing=tracing,
            tasks=tasks,
            hook=hook,
            launch_events=launch_events,
        )


def _wire(
    settings: AgentSettings,
    *,
    stack: Stack,
    client: httpx.AsyncClient,
    membership: Membership,
    hub_client: httpx.AsyncClient,
    providers: Providers,
    resolver: Resolver,
    metrics: AgentMetrics,
    tracing: Tracing,
    tasks: BackgroundTasks,
    hook: Hook,
    launch_events: LaunchEventLog,
) -> AgentContext:
    hub = HubApi(
        client=hub_client,
        hub=stack.hub,
        policy=RetryPolicy(settings.launch.retries, settings.launch.retry_first_seconds),
        on_failure=metrics.count_hub_failure,
    )
    sessions = Sessions(hub=hub, quota=_quota(settings, stack), patterns=settings.patterns)
    removals = Removals(
        hub=hub,
        sessions=sessions,
        tasks=tasks,
        metrics=metrics,
        clock=time.monotonic,
        adopts_users=settings.launch.named_servers,
    )
    inventory = Inventory(images=stack.images, sessions=sessions, tasks=tasks, metrics=metrics)
    builds = Builds(
        builder=stack.builder,
        images=stack.images,
        settings=settings.build,
        tasks=tasks,
        metrics=metrics,
        on_built=inventory.note_built,
        room=lambda: stack.room,
        further_seconds=stack.further_build_seconds,
        tracing=tracing,
    )
    launcher = Launcher(
        hub=hub,
        sessions=sessions,
        removals=removals,
        settings=settings.launch,
        metrics=metrics,
        on_full=lambda: housekeeping.note_full(stack=stack, sessions=sessions),
    )
    culling = Culling(
        hub=hub,
        sessions=sessions,
        removals=removals,
        metrics=metrics,
        launch=settings.launch,
        patterns=settings.patterns,
    )
    draining = Draining(state_dir=settings.state_dir)
    warm = make_pool(
        settings,
        hub=hub,
        launcher=launcher,
        sessions=sessions,
        removals=removals,
        inventory=inventory,
        culling=culling,
        metrics=metrics,
        tasks=tasks,
        registry=metrics.registry,
        draining=draining,
    )
    launches = Launches(
        providers=providers,
        resolver=resolver,
        images=stack.images,
        builds=builds,
        launcher=launcher,
        sessions=sessions,
        warm=warm,
        metrics=metrics,
        tracing=tracing,
        patterns=settings.patterns,
        hook=hook,
        ended=EndedLaunches(
            log=launch_events,
            member=settings.name,
            tells_relayed=settings.launch_events.relayed,
            clock=time.time,
        ),
    )
    metrics.registry.register(
        AgentGauges(
            stack=settings.stack,
            state_dir=settings.state_dir,
            load=lambda: _load(settings, sessions, builds, can_build=stack.room.can_build),
            is_draining=lambda: draining.current is not None,
            tasks=tasks,
        )
    )
    lag = ProcessMetrics(metrics.registry, prefix="binderfed_agent").watch_lag()
    tasks.start(lag, name="event-loop-lag")
    policy = HeldPolicy(providers=providers)
    health_checks = make_checks(
        stack=stack,
        sessions=sessions,
        builds=builds,
        tasks=tasks,
        membership=membership.joiner.outcome if membership.joiner else None,
    )
    membership.identity.on_change(health_checks.expire)
    return AgentContext(
        settings=settings,
        stack=stack,
        providers=providers,
        identity=membership.identity,
        membership=membership,
        admission=Admission(settings=settings, identity=membership.identity),
        policy=policy,
        sessions=sessions,
        inventory=inventory,
        removals=removals,
        culling=culling,
        reporter=Reporter(
            client=client,
            settings=settings,
            identity=membership.identity,
            renew=membership.renew,
            inventory=inventory,
            load=lambda: _load(settings, sessions, builds, can_build=stack.room.can_build),
            warm=warm.records,
            checks=lambda: check_records(health_checks),
            estimates=metrics.estimates,
            is_draining=lambda: draining.current is not None,
            repositories=lambda: most_used(sessions.usage().by_repository),
            policy=policy,
            metrics=metrics,
        ),
        streams=LaunchStreams(
            launches=launches, removals=removals, settings=settings.launch, tasks=tasks
        ),
        warm=warm,
        encoded_events=EncodedEvents(),
        draining=draining,
        health_checks=health_checks,
        metrics=metrics,
        tasks=tasks,
    )


def _quota(settings: AgentSettings, stack: Stack) -> Quota:
    sessions = settings.quota.sessions
    return Quota(
        sessions=stack.default_capacity if sessions is None else sessions,
        sessions_per_repository=settings.quota.sessions_per_repository,
        named_servers_per_user=(
            settings.launch.named_servers_per_user if settings.launch.named_servers else 0
        ),
    )


def _load(
    settings: AgentSettings, sessions: Sessions, builds: Builds, *, can_build: bool
) -> LoadRecord:
    usage = sessions.usage()
    return LoadRecord(
        capacity=min(sessions.capacity, MOST_SESSIONS),
        running=min(usage.running, MOST_SESSIONS),
        pending=min(usage.pending, MOST_SESSIONS),
        build_slots=min(settings.build.slots, MOST_SESSIONS),
        building=min(builds.building + builds.waiting, MOST_SESSIONS),
        can_build=can_build,
        warm=min(usage.warm, MOST_SESSIONS),
    )
