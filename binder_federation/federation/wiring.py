"""How the parts of one federation replica are connected, made once and closed in order."""

import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import aiohttp
import httpx
from prometheus_client import CollectorRegistry

from binder_federation import __version__
from binder_federation.binder.launch_events.log import LaunchEventLog, open_launch_event_log
from binder_federation.binder.messages import Report
from binder_federation.binder.providers import ProviderMetrics, Repositories, make_providers
from binder_federation.binder.resolver import Resolver
from binder_federation.config.federation import FederationSettings
from binder_federation.federation.arrivals import Arrivals
from binder_federation.federation.binderhub.page_tokens import PageTokens
from binder_federation.federation.binderhub.pod_counts import PodCounts
from binder_federation.federation.binderhub.streams import BinderHubStreams
from binder_federation.federation.context import Clock, FederationContext
from binder_federation.federation.copies import Copies
from binder_federation.federation.decisions import Decisions
from binder_federation.federation.dispatcher import Dispatcher
from binder_federation.federation.ended_launches import EndedLaunches
from binder_federation.federation.fleet import FleetView
from binder_federation.federation.history.conditions import Conditions
from binder_federation.federation.history.history import make_history
from binder_federation.federation.joining.keys import find_key
from binder_federation.federation.joining.replays import ReplayGuard
from binder_federation.federation.joining.wiring import make_joining
from binder_federation.federation.launch_records.opening import make_launch_records
from binder_federation.federation.launches import Launches
from binder_federation.federation.learned import Learned
from binder_federation.federation.lessons import Lessons
from binder_federation.federation.limits.wiring import hear_report, make_limits
from binder_federation.federation.member_stream import MemberStreams
from binder_federation.federation.metrics import FederationMetrics
from binder_federation.federation.metrics.members import MemberMetrics
from binder_federation.federation.metrics.replica import ReplicaMetrics
from binder_federation.federation.own_checks import make_own_checks
from binder_federation.federation.placing import Placing
from binder_federation.federation.prebuilds.prebuilds import Prebuilds
from binder_federation.federation.prebuilds.records import make_prebuild_records
from binder_federation.federation.preparing import Preparing
from binder_federation.federation.redirector.metrics import RedirectorMetrics
from binder_federation.federation.report_rates import ReportRates
from binder_federation.federation.reports import Reports
from binder_federation.federation.roster import make_roster
from binder_federation.federation.shared.bus import Topic
from binder_federation.federation.shared.context import Shared, open_shared
from binder_federation.federation.status.board import StatusBoard
from binder_federation.federation.status.gathering import Gathering
from binder_federation.federation.status.words import drain_word
from binder_federation.federation.steering.applying import Applying
from binder_federation.federation.steering.metrics import SteeringMetrics
from binder_federation.federation.steering.steering import Steering
from binder_federation.federation.steering.wiring import make_steering
from binder_federation.federation.watching import MemberWatch
from binder_federation.health.monitor import HealthMonitor
from binder_federation.runtime.process_metrics import ProcessMetrics
from binder_federation.runtime.scrubbing import find_secrets
from binder_federation.runtime.tasks import BackgroundTasks
from binder_federation.runtime.tls import known_authorities
from binder_federation.runtime.tracing import Tracing, open_tracing


@asynccontextmanager
async def open_context(settings: FederationSettings) -> AsyncIterator[FederationContext]:
    """Make the context; leaving it ends every task and connection."""
    async with AsyncExitStack() as stack:
        headers = {"User-Agent": f"binder-federation/{__version__}"}
        tls = known_authorities()
        client = await stack.enter_async_context(
            httpx.AsyncClient(
                headers=headers, verify=tls, timeout=settings.providers.timeout_seconds
            )
        )
        # Of their own: a provider that hangs must not make a member look slow.
        prober = await stack.enter_async_context(httpx.AsyncClient(headers=headers, verify=tls))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0))
        )
        tracing = await stack.enter_async_context(
            open_tracing(
                endpoint=settings.telemetry.otlp_endpoint,
                headers=settings.telemetry.plain_headers,
                service="binder-federation",
                sample_ratio=settings.telemetry.sample_ratio,
                timeout_seconds=settings.telemetry.timeout_seconds,
                secrets=find_secrets(settings),
            )
        )
        registry = CollectorRegistry()
        launch_events = await stack.enter_async_context(
            open_launch_event_log(
                settings.launch_events,
                clock=time.time,
                registry=registry,
                metric="binderfed_launch_events_total",
            )
        )
        tasks = BackgroundTasks()
        shared = await stack.enter_async_context(
            open_shared(settings, tasks=tasks, clock=time.time, registry=registry)
        )
        stack.push_async_callback(tasks.aclose)
        steering = await make_steering(
            settings.steering, redis=shared.redis, bus=shared.bus, clock=time.time, tasks=tasks
        )
        registry.register(SteeringMetrics(steering))
        clients = _Clients(provider=client, prober=prober, members=session)
        context = _wire(
            settings,
            clients=clients,
            shared=shared,
            steering=steering,
            launch_events=launch_events,
            registry=registry,
            tracing=tracing,
            tasks=tasks,
        )
        stack.push_async_callback(context.resolver.aclose)
        yield context


@dataclass(frozen=True, slots=True)
class _Clients:
    """Who asks whom: providers, members' health, members' streams."""

    provider: httpx.AsyncClient
    prober: httpx.AsyncClient
    members: aiohttp.ClientSession


def _wire(
    settings: FederationSettings,
    *,
    clients: _Clients,
    shared: Shared,
    steering: Steering,
    launch_events: LaunchEventLog,
    registry: CollectorRegistry,
    tracing: Tracing,
    tasks: BackgroundTasks,
) -> FederationContext:
    clock: Clock = time.time
    rng = random.Random()  # noqa: S311 - spreads load, keeps no secret
    metrics = FederationMetrics(registry)
    roster = make_roster(settings.members)
    repositories = Repositories(
        make_providers(settings.providers, clients.provider, metrics=ProviderMetrics.make(registry))
    )
    limits = make_limits(
        settings, repositories=repositories, redis=shared.redis, registry=registry, clock=clock
    )
    joining_key, replays = find_key(settings), ReplayGuard()

    def heard(report: Report, now: float) -> None:
        replays.note(report, now=now)
        hear_report(report, limits.sessions, decisions, now=now)

    reports = Reports(
        store=shared.store,
        session_seconds=settings.estimates.session_seconds,
        tell_others=shared.last_reports.publish,
        on_change=lambda member: fleet.changed(member),
        on_load_change=lambda member: fleet.load_changed(member),
        on_report=heard,
        is_admitted=lambda name: (member := roster.get(name)) is not None and not member.is_joining,
    )
    arrivals = Arrivals()
    decisions = Decisions(
        bus=shared.bus,
        reports=reports,
        arrivals=arrivals,
        sessions=limits.sessions,
        builds=limits.builds,
    )
    learned = Learned(settings=settings.estimates)
    monitor = HealthMonitor(
        client=clients.prober,
        settings=settings.health,
        tasks=tasks,
        clock=clock,
        rng=rng,
        registry=registry,
        on_change=lambda member, _health: fleet.changed(member),
        on_result=PodCounts(roster=roster, reports=reports, clock=clock).observe,
        votes=lambda member, now: shared.votes.votes(member, now=now),
    )
    registry.register(RedirectorMetrics(roster=roster, monitor=monitor, metrics=metrics))
    fleet = FleetView(
        roster=roster,
        monitor=monitor,
        reports=reports,
        learned=learned,
        store=shared.store,
        health_settings=settings.health,
        estimates=settings.estimates,
    )
    registry.register(
        MemberMetrics(
            roster=roster,
            monitor=monitor,
            reports=reports,
            fleet=fleet,
            store=shared.store,
            clock=clock,
        )
    )
    registry.register(
        ReplicaMetrics(
            fleet=fleet, limits=limits, health_settings=settings.health, tasks=tasks, clock=clock
        )
    )
    tasks.start(ProcessMetrics(registry, prefix="binderfed").watch_lag(), name="event-loop-lag")
    resolver = Resolver(
        providers=repositories.providers,
        cache=shared.refs,
        settings=settings.providers,
        clock=clock,
    )
    lessons = Lessons(
        store=shared.store, reports=reports, decisions=decisions, learned=learned, monitor=monitor
    )
    placing = Placing(
        roster=roster,
        repositories=repositories,
        fleet=fleet,
        lessons=lessons,
        metrics=metrics,
        health_settings=settings.health,
        clock=clock,
        rng=rng,
        quotas=limits.quotas,
    )
    streams = MemberStreams(
        session=clients.members,
        connect_seconds=settings.launch.connect_seconds,
        silence_seconds=settings.launch.silence_seconds,
    )
    preparing = Preparing(placing=placing, streams=streams, lessons=lessons, clock=clock)
    copies = Copies(
        arrivals=arrivals,
        fleet=fleet,
        preparing=preparing,
        metrics=metrics,
        settings=settings.copies,
        health_settings=settings.health,
        session_seconds=settings.estimates.session_seconds,
        tasks=tasks,
        clock=clock,
        unable=roster.unable_to_prepare,
    )
    prebuilds = Prebuilds(
        resolver=resolver,
        fleet=fleet,
        placing=placing,
        preparing=preparing,
        records=make_prebuild_records(shared.redis),
        settings=settings.builds,
        deadline_seconds=settings.launch.deadline_seconds,
        tasks=tasks,
        clock=clock,
    )
    page_tokens = PageTokens(client=clients.prober, tasks=tasks, clock=clock)
    dispatcher = Dispatcher(
        resolver=resolver,
        placing=placing,
        streams=streams,
        binderhubs=BinderHubStreams(streams=streams, tokens=page_tokens),
        lessons=lessons,
        metrics=metrics,
        settings=settings.launch,
        tasks=tasks,
        clock=clock,
        tracing=tracing,
    )
    history = make_history(
        shared.redis,
        conditions=Conditions(
            roster=roster,
            monitor=monitor,
            reports=reports,
            drain_word=lambda member: drain_word(steering.current.orders(member).drain),
        ),
        distrusts_itself=lambda: monitor.suspicion().is_confirmed,
        clock=clock,
    )
    gathering = Gathering(
        roster=roster,
        monitor=monitor,
        reports=reports,
        fleet=fleet,
        history=history,
        mode=settings.launch.mode,
        is_redis_away=lambda: shared.redis is not None and shared.redis.is_open,
    )
    ended_launches = EndedLaunches(
        log=launch_events,
        tells_redirects=settings.launch_events.redirects,
        clock=clock,
        on_end=history.launch_ended,
        on_redirect=history.redirected,
    )
    shared.bus.subscribe(Topic.REPORT, lambda body: reports.hear(body, now=clock()))
    shared.bus.subscribe(Topic.DECISION, lambda body: decisions.hear(body, now=clock()))
    return FederationContext(
        settings=settings,
        clock=clock,
        roster=roster,
        repositories=repositories,
        monitor=monitor,
        reports=reports,
        report_rates=ReportRates(clock),
        shared=shared,
        fleet=fleet,
        steering=steering,
        applying=Applying(
            steering=steering,
            configured=tuple(roster),
            credential_of=joining_key.credential,
            roster=roster,
            policy=limits.live_policy,
            tasks=tasks,
        ),
        joining=make_joining(
            settings,
            key=joining_key,
            replays=replays,
            client=clients.prober,
            repositories=repositories,
            resolver=resolver,
            placing=placing,
            streams=streams,
            reports=reports,
            roster=roster,
            steering=steering,
            redis=shared.redis,
            tasks=tasks,
            clock=clock,
        ),
        member_watch=MemberWatch(
            roster=roster, monitor=monitor, fleet=fleet, settings=settings.health
        ),
        limits=limits,
        admission=limits.admission,
        copies=copies,
        prebuilds=prebuilds,
        resolver=resolver,
        placing=placing,
        launches=Launches(
            runner=dispatcher,
            settings=settings.launch,
            tasks=tasks,
            clock=clock,
            records=make_launch_records(shared, tasks=tasks),
            on_end=ended_launches.ended,
        ),
        ended_launches=ended_launches,
        history=history,
        status=StatusBoard(gather=lambda now: gathering.report(now=now), clock=clock),
        metrics=metrics,
        health_checks=make_own_checks(roster=roster, monitor=monitor, tasks=tasks),
        tasks=tasks,
    )
