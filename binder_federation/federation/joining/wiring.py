"""Makes joining of what the federation has."""

from collections.abc import Callable

import httpx

from binder_federation.binder.providers import Repositories
from binder_federation.binder.resolver import Resolver
from binder_federation.config.federation import FederationSettings
from binder_federation.federation.joining.admissions import Admissions
from binder_federation.federation.joining.checklists import make_checklists
from binder_federation.federation.joining.joining import Joining
from binder_federation.federation.joining.keys import JoiningKey
from binder_federation.federation.joining.places import Places
from binder_federation.federation.joining.preflight.launch import TestLaunch
from binder_federation.federation.joining.preflight.run import Preflight
from binder_federation.federation.joining.replays import ReplayGuard
from binder_federation.federation.member_stream import MemberStreams
from binder_federation.federation.placing import Placing
from binder_federation.federation.reports import Reports
from binder_federation.federation.roster import Roster, RosterChange
from binder_federation.federation.shared.connection import RedisConnection
from binder_federation.federation.steering.steering import Steering
from binder_federation.runtime.tasks import BackgroundTasks


def make_joining(
    settings: FederationSettings,
    *,
    key: JoiningKey,
    replays: ReplayGuard,
    client: httpx.AsyncClient,
    repositories: Repositories,
    resolver: Resolver,
    placing: Placing,
    streams: MemberStreams,
    reports: Reports,
    roster: Roster,
    steering: Steering,
    redis: RedisConnection | None,
    tasks: BackgroundTasks,
    clock: Callable[[], float],
) -> Joining:
    """`client` asks members, `replays` hears of every report."""
    public_url = settings.public_url or ""
    test_launch = TestLaunch(
        repositories=repositories,
        resolver=resolver,
        placing=placing,
        streams=streams,
        repository=settings.joining.test_repository,
        seconds=settings.joining.launch_seconds,
        launch_host=f"{public_url}/",
    )
    places = Places(allow_private=settings.joining.allow_private_addresses)
    preflight = Preflight(
        client=client,
        places=places,
        test_launch=test_launch,
        incompatibility=reports.incompatibility,
        settings=settings.joining,
        clock=clock,
    )
    admissions = Admissions(
        preflight=preflight,
        checklists=make_checklists(redis),
        roster=roster,
        steering=steering,
        settings=settings.joining,
        tasks=tasks,
        clock=clock,
    )

    def forget(change: RosterChange) -> None:
        for member in change.removed:
            replays.forget(member.name)
            admissions.forget(member.name)

    roster.on_change(forget)
    return Joining(
        key=key,
        places=places,
        steering=steering,
        admissions=admissions,
        replays=replays,
        configured={member.name: member.url for member in settings.members},
        public_url=public_url,
        tasks=tasks,
        clock=clock,
    )
