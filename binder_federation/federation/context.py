"""Everything that one federation replica owns, for the handlers."""

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from binder_federation.binder.providers import Repositories
from binder_federation.binder.resolver import Resolver
from binder_federation.config.federation import FederationSettings
from binder_federation.federation.admission import Admission
from binder_federation.federation.copies import Copies
from binder_federation.federation.ended_launches import EndedLaunches
from binder_federation.federation.fleet import FleetView
from binder_federation.federation.history.history import History
from binder_federation.federation.joining.joining import Joining
from binder_federation.federation.launches import Launches
from binder_federation.federation.limits.wiring import Limits
from binder_federation.federation.metrics import FederationMetrics
from binder_federation.federation.placing import Placing
from binder_federation.federation.prebuilds.prebuilds import Prebuilds
from binder_federation.federation.report_rates import ReportRates
from binder_federation.federation.reports import Reports
from binder_federation.federation.roster import Roster
from binder_federation.federation.shared.context import Shared
from binder_federation.federation.status.board import StatusBoard
from binder_federation.federation.steering.applying import Applying
from binder_federation.federation.steering.steering import Steering
from binder_federation.federation.watching import MemberWatch
from binder_federation.health.checks import HealthChecks
from binder_federation.health.monitor import HealthMonitor
from binder_federation.runtime.tasks import BackgroundTasks

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class FederationContext:
    """What the handlers work with."""

    settings: FederationSettings
    clock: Clock
    roster: Roster
    repositories: Repositories
    monitor: HealthMonitor
    reports: Reports
    report_rates: ReportRates
    shared: Shared
    fleet: FleetView
    steering: Steering
    applying: Applying
    joining: Joining
    member_watch: MemberWatch
    resolver: Resolver
    placing: Placing
    limits: Limits
    admission: Admission
    copies: Copies
    prebuilds: Prebuilds
    launches: Launches
    ended_launches: EndedLaunches
    history: History
    status: StatusBoard
    metrics: FederationMetrics
    health_checks: HealthChecks
    tasks: BackgroundTasks


CONTEXT: web.AppKey[FederationContext] = web.AppKey("context", FederationContext)
