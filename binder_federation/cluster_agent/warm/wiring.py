"""Makes the pool from the agent's parts and its settings."""

import time

from prometheus_client import CollectorRegistry

from binder_federation.cluster_agent.core.warm_sizing import WarmRules
from binder_federation.cluster_agent.draining import Draining
from binder_federation.cluster_agent.hub_api import HubApi
from binder_federation.cluster_agent.idle.culling import Culling
from binder_federation.cluster_agent.inventory import Inventory
from binder_federation.cluster_agent.launcher import Launcher
from binder_federation.cluster_agent.metrics import AgentMetrics
from binder_federation.cluster_agent.removal import Removals
from binder_federation.cluster_agent.sessions import Sessions
from binder_federation.cluster_agent.warm.demand import Demand
from binder_federation.cluster_agent.warm.giving import Giving
from binder_federation.cluster_agent.warm.handouts import HandOuts
from binder_federation.cluster_agent.warm.metrics import WarmMetrics
from binder_federation.cluster_agent.warm.pool import WarmPool
from binder_federation.cluster_agent.warm.shelf import Shelf
from binder_federation.config.agent import AgentSettings
from binder_federation.runtime.tasks import BackgroundTasks

SECONDS_AN_HOUR = 3600.0


def make_pool(
    settings: AgentSettings,
    *,
    hub: HubApi,
    launcher: Launcher,
    sessions: Sessions,
    removals: Removals,
    inventory: Inventory,
    culling: Culling,
    metrics: AgentMetrics,
    tasks: BackgroundTasks,
    registry: CollectorRegistry,
    draining: Draining,
) -> WarmPool:
    """The warm servers of one agent; none are started before `tend`."""
    warm, counted, clock = settings.warm, WarmMetrics(registry), time.monotonic
    shelf = Shelf(
        launcher=launcher,
        sessions=sessions,
        removals=removals,
        tasks=tasks,
        metrics=counted,
        clock=clock,
    )
    giving = Giving(
        shelf=shelf,
        hub=hub,
        handouts=HandOuts(hub=hub),
        culling=culling,
        sessions=sessions,
        tasks=tasks,
        metrics=counted,
        max_age_seconds=warm.max_age_seconds,
        clock=clock,
    )
    pool = WarmPool(
        shelf=shelf,
        giving=giving,
        demand=Demand(memory_seconds=warm.memory_seconds, exclude=warm.exclude),
        launcher=launcher,
        sessions=sessions,
        removals=removals,
        images=lambda: inventory.records.keys(),
        spawn_seconds=lambda: metrics.estimates().spawn_seconds,
        rules=make_rules(settings),
        concurrent=warm.concurrent or max(1, settings.launch.concurrent // 2),
        metrics=counted,
        is_draining=lambda: draining.current is not None,
        clock=clock,
    )
    draining.on_change(pool.tend)
    return pool


def make_rules(settings: AgentSettings) -> WarmRules:
    """The settings as the core's rules."""
    warm = settings.warm
    return WarmRules(
        is_on=warm.enabled,
        share=warm.share,
        free_share=warm.free_share,
        most_per_image=warm.most_per_image,
        least_per_second=warm.least_per_hour / SECONDS_AN_HOUR,
        margin=warm.margin,
        max_age_seconds=warm.max_age_seconds,
    )
