"""One member's `/build` stream, read under deadlines.

Whatever goes wrong with the connection (refused, reset, closed too early, silent
too long, 5xx, not an event stream) is one error: `MemberUnreachable`. aiohttp's
client reads these streams, for its parser in C: thousands are open at once.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass

import aiohttp
import structlog
from yarl import URL

from binder_federation.binder.errors import MemberUnreachable, QuotaExceeded
from binder_federation.binder.events import Event, StreamMessage, StreamParser
from binder_federation.federation.member_events import read_member_event
from binder_federation.runtime.tracing import trace_headers

log = structlog.get_logger(__name__)

DISMISS_SECONDS = 5.0
NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class MemberEvent:
    """An event of a member's, and its number in the launch there; 0 when it has none."""

    number: int
    event: Event
    size: int
    """Characters that the member sent for it."""


class MemberStreams:
    """Opens members' streams over one shared session."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        connect_seconds: float,
        silence_seconds: float,
    ) -> None:
        self._session = session
        self._silence_seconds = silence_seconds
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=connect_seconds, sock_read=silence_seconds
        )

    async def events(
        self, member: str, url: URL, *, build_token: str
    ) -> AsyncGenerator[Event, None]:
        """The events of the stream at `url`, ending with the final one.

        Raises `MemberUnreachable` when the stream breaks, `QuotaExceeded` on a 429.
        """
        async with aclosing(self.numbered(member, url, build_token=build_token)) as events:
            async for each in events:
                yield each.event

    async def numbered(
        self,
        member: str,
        url: URL,
        *,
        build_token: str,
        after: int = 0,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> AsyncGenerator[MemberEvent, None]:
        """As `events`, with the member's numbers, and only what comes after the event `after`.

        A launch that the token names is never begun twice: a member that knows it goes on
        telling of it. A BinderHub gets no token (""), but further `headers`.
        """
        wanted = {**_stream_headers(build_token, after), **trace_headers(), **headers}
        async with aclosing(self._messages(member, url, wanted)) as messages:
            async for message in messages:
                event = _event(member, message)
                yield MemberEvent(_number(message.event_id), event, len(message.data))
                if event.phase.is_final:
                    return
        raise MemberUnreachable(f"{member} closed the stream before the launch had ended.")

    async def dismiss(self, member: str, url: URL, *, build_token: str) -> None:
        """Say that nobody wants the launch any more. Raises nothing: it would end in time."""
        headers = {"Authorization": f"Bearer {build_token}"}
        try:
            async with (
                asyncio.timeout(DISMISS_SECONDS),
                self._session.delete(url, headers=headers, allow_redirects=False),
            ):
                pass
        except (aiohttp.ClientError, OSError) as error:
            log.info("launch_not_dismissed", member=member, reason=repr(error)[:200])

    async def _messages(
        self, member: str, url: URL, headers: Mapping[str, str]
    ) -> AsyncGenerator[StreamMessage, None]:
        parser = StreamParser()
        try:
            async with self._session.get(
                url, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                _check_answer(member, response)
                async for chunk in response.content.iter_any():
                    for message in parser.feed(chunk):
                        yield message
        except aiohttp.ConnectionTimeoutError as error:
            raise MemberUnreachable(f"{member} does not answer.") from error
        except TimeoutError as error:
            raise MemberUnreachable(
                f"{member} has been silent for {self._silence_seconds:.0f} seconds."
            ) from error
        except aiohttp.ClientConnectorError as error:
            raise MemberUnreachable(f"{member} does not answer.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise MemberUnreachable(f"{member} stopped answering.") from error
        except ValueError as error:
            raise MemberUnreachable(f"{member} sent what is no event stream.") from error


def _stream_headers(build_token: str, after: int) -> dict[str, str]:
    headers = {"Accept": "text/event-stream"}
    if build_token:
        headers["Authorization"] = f"Bearer {build_token}"
    if after:
        headers["Last-Event-ID"] = str(after)
    return headers


def _check_answer(member: str, response: aiohttp.ClientResponse) -> None:
    if response.status == 200 and response.content_type == "text/event-stream":
        return
    log.warning("member_refused_launch", member=member, status=response.status)
    if response.status == 429:
        raise QuotaExceeded(f"{member} is full.")
    if response.status in (401, 403):
        raise MemberUnreachable(f"{member} does not accept launches from this federation.")
    raise MemberUnreachable(f"{member} answered with status {response.status}.")


def _number(event_id: str) -> int:
    return int(event_id) if event_id.isascii() and event_id.isdigit() and len(event_id) < 10 else 0


def _event(member: str, message: StreamMessage) -> Event:
    try:
        return read_member_event(message.data)
    except ValueError as error:
        raise MemberUnreachable(f"{member} sent an event that cannot be read.") from error
