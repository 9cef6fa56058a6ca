"""One launch at a member: from the text of a link to a server's URL.

parse → resolve → take a place → image there, or build → server → `ready`. The
server is a warm one, where one waits for visitors of this image (`warm/`). What
happens is told to `emit`, which never waits; errors are raised, and the handler
makes the last event of them. The place is taken before the build, because a
visitor who waits minutes for an image shall have a session in the end; one that
cannot have a session is refused at once, while another member may still take it.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from binder_federation.binder.build_tokens import BuildClaims
from binder_federation.binder.events import Event, Phase
from binder_federation.binder.providers import parse_launch_path
from binder_federation.binder.providers.base import RepoProvider
from binder_federation.binder.resolver import ResolvedSpec, Resolver
from binder_federation.binder.spec import LaunchSpec
from binder_federation.cluster_agent.builds import Builds
from binder_federation.cluster_agent.core.names import (
    SUFFIX_ALPHABET,
    SUFFIX_LENGTH,
    named_server,
    user_name,
)
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.ended_launches import EndedLaunches
from binder_federation.cluster_agent.hooks import Hook, PreLaunch, run_hook
from binder_federation.cluster_agent.launcher import Launcher, RunningServer, ServerOptions
from binder_federation.cluster_agent.metrics import AgentMetrics
from binder_federation.cluster_agent.sessions import Place, Sessions
from binder_federation.cluster_agent.stacks.base import BuildPlan, Image, ImageStore
from binder_federation.cluster_agent.warm.pool import WarmPool
from binder_federation.config.resources import PatternSettings, server_limits
from binder_federation.runtime.tracing import NO_TRACING, Tracing

Emit = Callable[[Event], None]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """What was asked for: the raw path after `/build/`, and what is known of the visitor."""

    raw_path: str
    claims: BuildClaims
    is_build_only: bool = False
    has_token: bool = False
    """Whether a build token came with it."""
    is_relayed: bool = False
    """Whether the federation asks, and not a visitor who was sent here."""


@dataclass(frozen=True, slots=True)
class _Source:
    provider: RepoProvider
    resolved: ResolvedSpec

    @property
    def repository_url(self) -> str:
        return self.provider.repository_url(self.resolved.spec)

    @property
    def ref_url(self) -> str:
        return self.provider.ref_url(self.resolved.spec, self.resolved.resolved_ref)

    @property
    def persistent_request(self) -> str:
        pinned = self.resolved.spec.at(self.resolved.resolved_ref)
        return f"v2/{self.provider.id}/{self.provider.format(pinned)}"


class Launches:
    """The launches of this member."""

    def __init__(
        self,
        *,
        providers: Mapping[str, RepoProvider],
        resolver: Resolver,
        images: ImageStore,
        builds: Builds,
        launcher: Launcher,
        sessions: Sessions,
        warm: WarmPool,
        metrics: AgentMetrics,
        patterns: Sequence[PatternSettings],
        hook: Hook,
        ended: EndedLaunches,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._providers = providers
        self._resolver = resolver
        self._images = images
        self._builds = builds
        self._launcher = launcher
        self._sessions = sessions
        self._warm = warm
        self._patterns = patterns
        self._hook = hook
        self._ended = ended
        self._metrics = metrics
        self._tracing = tracing

    async def run(self, request: LaunchRequest, emit: Emit) -> ServerName | None:
        """The whole launch; it ends after `ready`, or raises a `ServiceError`.

        Returns the server that it made; None when only an image was asked for.
        """
        name = "prepare" if request.is_build_only else "launch"
        with self._metrics.observe_launch(), self._tracing.span(name):
            if not request.is_build_only:
                return await self._observed_launch(request, emit)
            await self._build_only(await self._resolve(request, emit), emit)
            return None

    async def _observed_launch(self, request: LaunchRequest, emit: Emit) -> ServerName:
        with self._ended.observe(
            request.claims, has_token=request.has_token, is_relayed=request.is_relayed
        ) as launch:
            source = await self._resolve(request, emit)
            launch.resolved_ref = source.resolved.resolved_ref
            return await self._launch(source, request, emit)

    async def _resolve(self, request: LaunchRequest, emit: Emit) -> _Source:
        spec = parse_launch_path(self._providers, request.raw_path)
        told = request.claims.resolved_ref
        resolved = ResolvedSpec(spec, told) if told else await self._resolver.resolve(spec)
        if resolved.note:
            emit(Event(Phase.FETCHING, f"{resolved.note}\n"))
        return _Source(self._providers[spec.provider], resolved)

    async def _build_only(self, source: _Source, emit: Emit) -> None:
        image, was_there = await self._image(source, emit)
        await self._images.bring_near(image)
        message = "Done! Found built image\n" if was_there else "Done! Image built\n"
        emit(Event(Phase.READY, message, {"imageName": image.reference}))

    async def _launch(self, source: _Source, request: LaunchRequest, emit: Emit) -> ServerName:
        spec = source.resolved.spec
        # No await between the quota check and taking the place: `hold` does both.
        place = self._sessions.hold(_new_server(spec, request.claims.user), spec.affinity_key)
        try:
            image, was_there = await self._image(source, emit)
            place.image = image.reference
            options = _server_options(source, request.claims, place, image, self._patterns)
            added = await run_hook(self._hook, _pre_launch(place, options))
        except BaseException:
            self._sessions.release(place)
            raise
        found = "Found built image" if was_there else "Built image"
        emit(Event(Phase.BUILT, f"{found}, launching...\n", {"imageName": image.reference}))
        emit(Event(Phase.LAUNCHING, "Launching server...\n"))
        # Else its server is like no other: it has options of its own, or a user who stays.
        is_usual = not added and not place.server.is_named
        if is_usual:
            self._warm.note_launch(image.key, spec, options)
        server = await self._warm_server(place, image, may_take=is_usual)
        if server is None:
            options = replace(options, further={**options.further, **added})
            with self._tracing.span("start_server"):
                server = await self._launcher.launch(place, options, emit)
        # Whose a server is, also of one that was started before its visitor came: who looks after
        # abuse finds the network by the pod's name.
        log.info(
            "server_handed_out",
            server=str(server.server),
            repository=place.repository,
            image=image.reference,
            client_address=request.claims.client_address,
            is_warm=server.is_warm,
        )
        emit(_ready_event(server, options))
        return server.server

    async def _warm_server(
        self, place: Place, image: Image, *, may_take: bool
    ) -> RunningServer | None:
        """A server that waits; or None, and there is room to start one."""
        try:
            server = await self._warm.take(image.key, place) if may_take else None
            if server is None:
                await self._warm.make_room(image.key)
        except BaseException:
            self._sessions.release(place)
            raise
        return server

    async def _image(self, source: _Source, emit: Emit) -> tuple[Image, bool]:
        """The image, and whether it was there before."""
        spec, resolved_ref = source.resolved.spec, source.resolved.resolved_ref
        key = spec.image_key(resolved_ref)
        image = await self._images.find(key)
        if image is not None:
            await self._images.note_launch(key)
            return image, True
        content = await source.provider.source(spec, resolved_ref)
        plan = BuildPlan(key, spec, resolved_ref, content)
        return await self._builds.watch(plan, emit), False


def _new_server(spec: LaunchSpec, user: str) -> ServerName:
    """A server that nobody has: of a temporary user, or of the one who is logged in."""
    suffix = "".join(secrets.choice(SUFFIX_ALPHABET) for _ in range(SUFFIX_LENGTH))
    if user:
        return ServerName(user, named_server(spec, suffix))
    return ServerName(user_name(spec, suffix))


def _server_options(
    source: _Source,
    claims: BuildClaims,
    place: Place,
    image: Image,
    patterns: Sequence[PatternSettings],
) -> ServerOptions:
    return ServerOptions(
        image=image.reference,
        token=secrets.token_urlsafe(32),
        repo_url=source.repository_url,
        binder_ref_url=source.ref_url,
        binder_launch_host=claims.launch_host,
        binder_request=claims.request,
        binder_persistent_request=source.persistent_request,
        binder_client_ip=claims.client_address,
        repository=place.repository,
        further=server_limits(patterns, place.repository),
    )


def _pre_launch(place: Place, options: ServerOptions) -> PreLaunch:
    return PreLaunch(
        user=place.server.user,
        repository=place.repository,
        image=options.image,
        repo_url=options.repo_url,
        client_address=options.binder_client_ip,
        server_name=place.server.name,
    )


def _ready_event(server: RunningServer, options: ServerOptions) -> Event:
    return Event(
        Phase.READY,
        f"server running at {server.url}\n",
        {
            "url": server.url,
            "token": server.token,
            "image": options.image,
            "repo_url": options.repo_url,
            "binder_ref_url": options.binder_ref_url,
            "binder_launch_host": options.binder_launch_host,
            "binder_request": options.binder_request,
            "binder_persistent_request": options.binder_persistent_request,
            **({"warm": True} if server.is_warm else {}),
        },
    )
