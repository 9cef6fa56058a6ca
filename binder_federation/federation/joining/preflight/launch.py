"""A launch of a small repository at this member, as a visitor would have it."""

import asyncio
import secrets
from contextlib import aclosing
from typing import NamedTuple

from yarl import URL

from binder_federation.binder.events import Event, Phase
from binder_federation.binder.joining import JoinCheck
from binder_federation.binder.providers import Repositories
from binder_federation.binder.resolver import Resolver
from binder_federation.federation.launch_request import LaunchRequest
from binder_federation.federation.member_stream import MemberStreams
from binder_federation.federation.placing import Placing
from binder_federation.runtime.errors import Fault, ServiceError

NAME = "Test launch"


class Session(NamedTuple):
    """A server that was started for the test."""

    url: str
    token: str


class TestLaunch:
    """Launches `repository` (`<provider>/<spec>`), within `seconds`."""

    __test__ = False

    def __init__(
        self,
        *,
        repositories: Repositories,
        resolver: Resolver,
        placing: Placing,
        streams: MemberStreams,
        repository: str,
        seconds: float,
        launch_host: str,
    ) -> None:
        self._repositories = repositories
        self._resolver = resolver
        self._placing = placing
        self._streams = streams
        self._repository = repository
        self._seconds = seconds
        self._launch_host = launch_host

    async def run(self, name: str) -> tuple[JoinCheck, Session | None]:
        """The check of the member `name`, and the session that it brought."""
        try:
            async with asyncio.timeout(self._seconds):
                event = await self._launch(name)
        except TimeoutError:
            return _failed(f"It was not ready after {self._seconds:.0f} seconds."), None
        except ServiceError as error:
            return _unable(error), None
        session = Session(str(event.fields.get("url", "")), str(event.fields.get("token", "")))
        if event.phase is not Phase.READY or not session.url:
            return _failed(event.message.strip() or "It failed without a word."), None
        return JoinCheck(name=NAME, ok=True, message=f"{self._repository} is ready."), session

    async def _launch(self, name: str) -> Event:
        spec = self._repositories.parse(self._repository)
        resolved = await self._resolver.resolve(spec)
        path, member = self._placing.path(resolved), self._placing.member(name)
        request = LaunchRequest(
            spec=resolved.spec,
            raw_spec=path.partition("/")[2],
            launch_host=self._launch_host,
        )
        token = self._placing.sign(
            request, resolved, path, member, launch=f"join-{secrets.token_hex(8)}"
        )
        url = URL(f"{member.url}/build/{path}", encoded=True)
        async with aclosing(self._streams.events(name, url, build_token=token)) as events:
            async for event in events:
                if event.phase.is_final:
                    return event
        raise AssertionError("a member's stream ends with a final event or an error")


def _failed(message: str) -> JoinCheck:
    return JoinCheck(
        name=NAME,
        ok=False,
        message=f"The launch did not succeed: {message}",
        advice="The agent's log tells of the build and of the hub; launch the same repository "
        "at the agent itself to see it again.",
    )


def _unable(error: ServiceError) -> JoinCheck:
    """A repository that cannot be asked for says nothing of the member."""
    if error.fault in (Fault.PROVIDER, Fault.REPOSITORY, Fault.REQUEST):
        return JoinCheck(
            name=NAME,
            ok=None,
            message=f"The federation could not begin it: {error.message}",
            advice="Nothing is to be done here; the federation's operators see this too.",
        )
    return _failed(error.message)
