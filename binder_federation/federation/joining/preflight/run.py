"""All checks of one member, in their order; one that the next ones need is not passed over."""

from collections.abc import AsyncIterator, Callable

import httpx
import structlog

from binder_federation.binder.joining import JoinCheck
from binder_federation.config.joining import JoiningSettings
from binder_federation.federation.joining.places import Places, find_session_trouble
from binder_federation.federation.joining.preflight import (
    agent,
    certificate,
    hub,
    launch,
    stream,
    version,
)
from binder_federation.federation.roster import Member

log = structlog.get_logger(__name__)

ADVICE = "Agents and hubs of one member are public, and under one domain."
NAMES = (
    agent.NAME,
    certificate.NAME,
    version.NAME,
    stream.STREAM_NAME,
    stream.CLOCK_NAME,
    launch.NAME,
    hub.NAME,
)


class Preflight:
    """Makes the checklist of a member."""

    def __init__(
        self,
        *,
        client: httpx.AsyncClient,
        places: Places,
        test_launch: launch.TestLaunch,
        incompatibility: Callable[[str], str],
        settings: JoiningSettings,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._places = places
        self._test_launch = test_launch
        self._incompatibility = incompatibility
        self._settings = settings
        self._clock = clock

    async def run(self, member: Member) -> AsyncIterator[JoinCheck]:
        """Each check as it is made; after one that fails, only those that need nothing of it."""
        seconds = self._settings.check_seconds
        if trouble := await self._places.trouble(member.url):
            yield JoinCheck(name=agent.NAME, ok=False, message=trouble, advice=ADVICE)
            return
        reachable, found = await agent.check_agent(self._client, member.url, seconds=seconds)
        yield reachable
        if not reachable.ok and found.versions is None:
            return
        yield certificate.judge_certificate(
            member.url,
            found.tls_not_after,
            now=self._clock(),
            warn_days=self._settings.certificate_days,
        )
        fits = version.judge_version(self._incompatibility(member.name), found.versions)
        yield fits
        heard = await stream.hear_stream(self._client, member.url, seconds=seconds)
        flows = stream.judge_stream(heard)
        yield flows
        yield stream.judge_clock(heard, now=self._clock())
        if not (reachable.ok and fits.ok and flows.ok):
            return  # a launch would fail of the same, and take long
        launched, session = await self._test_launch.run(member.name)
        yield launched
        if session is None:
            return
        trouble = find_session_trouble(session.url, member.public_url)
        trouble = trouble or await self._places.trouble(session.url)
        if trouble:
            yield JoinCheck(name=hub.NAME, ok=False, message=trouble, advice=ADVICE)
            return
        yield await hub.check_hub(self._client, session, seconds=seconds)
        if not await hub.end_session(self._client, session, seconds=seconds):
            log.info("test_session_not_ended", member=member.name)
