"""`/build/<provider>/<spec>`: a launch as an event stream, resumable.

Everything that can be told before the launch begins gets its own HTTP status. A
browser's EventSource hides the body of anything but a 200, so there the failure
is the stream's only event (docs/decisions/0002-errors-of-the-event-stream.md).
"""

import asyncio
from collections.abc import Mapping
from urllib.parse import unquote

import structlog
from aiohttp import web

from binder_federation.binder.errors import InvalidSpec
from binder_federation.binder.events import KEEPALIVE, encode_event, failed_event
from binder_federation.binder.spec import split_path
from binder_federation.config.federation import LaunchMode
from binder_federation.federation.context import CONTEXT, FederationContext
from binder_federation.federation.event_log import LogEntry
from binder_federation.federation.handlers.public_url import client_address, public_url
from binder_federation.federation.handlers.redirect import redirect, wants_address
from binder_federation.federation.launch import Launch
from binder_federation.federation.launch_ids import parse_event_id
from binder_federation.federation.launch_request import LaunchRequest
from binder_federation.runtime.cors import CORS
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.log_context import LAUNCH_ID
from binder_federation.runtime.web import error_response, raw_path_after

log = structlog.get_logger(__name__)

STREAM_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}
NO_QUERY: Mapping[str, str] = {}
MEMBER_NAME_LENGTH = 63
RECONNECT_SOON = b"retry: 200\n\n"
"""For an EventSource whose launch goes on at another replica; it waits seconds otherwise."""


async def preflight(request: web.Request) -> web.StreamResponse:
    """`OPTIONS`: what a page elsewhere may send. Never a redirect: no browser follows one here."""
    return request.app[CORS].preflight(request, methods="GET, HEAD, OPTIONS")


async def check(request: web.Request) -> web.StreamResponse:
    """`HEAD`: whether a `GET` would launch; nothing is launched."""
    try:
        _check_accepts_stream(request)
        context = request.app[CONTEXT]
        await context.admission.admit(request, _read(context, request), is_counted=False)
    except ServiceError as error:
        return await _refuse(request, error)
    return web.Response(headers=STREAM_HEADERS)


async def build(request: web.Request) -> web.StreamResponse:
    """`GET`: begin a launch, or go on with the one that `Last-Event-ID` names."""
    context = request.app[CONTEXT]
    try:
        is_redirect = context.settings.launch.mode is LaunchMode.REDIRECT
        if not (is_redirect and wants_address(request)):
            _check_accepts_stream(request)
        if is_redirect:
            wanted = _read(context, request)
            await context.admission.admit(request, wanted)
            return await redirect(context, wanted, request)
        launch, seen = await _launch(context, request)
        if launch.log.is_finished and seen >= launch.log.last_number:
            return web.Response(status=204)
    except ServiceError as error:
        return await _refuse(request, error)
    return await _stream(context, request, launch, seen)


def _check_accepts_stream(request: web.Request) -> None:
    accept = request.headers.get("Accept", "*/*")
    if not any(kind in accept for kind in ("text/event-stream", "text/*", "*/*")):
        raise InvalidSpec(
            "This address answers with an event stream.",
            advice="Send the header Accept: text/event-stream.",
        )


async def _launch(context: FederationContext, request: web.Request) -> tuple[Launch, int]:
    """The launch that is asked for, and the number of the last event that was seen of it."""
    given = request.headers.get("Last-Event-ID") or request.query.get("last_event_id", "")
    seen = parse_event_id(given)
    wanted = _read(context, request, is_resumed=seen is not None)
    entry = context.admission.entry(request, wanted)
    launch = None
    if seen is not None:
        # Whoever names a launch that nobody knows begins one.
        launch = await context.launches.resume(seen, wanted, before_begin=entry.take)
    if seen is None or launch is None:
        await entry.take()
        return context.launches.begin(wanted), 0
    return launch, launch.first_unseen(seen) - 1


def _read(
    context: FederationContext, request: web.Request, *, is_resumed: bool = False
) -> LaunchRequest:
    """What is asked for, once no ban and no wrong token stands against it."""
    context.admission.check_bot(request)
    raw_path = raw_path_after(request, "/build/")
    spec = context.repositories.parse(raw_path)
    admission, address = context.admission, client_address(request)
    admission.check_bans(address, spec)
    _, raw_spec = split_path(raw_path)
    query = request.query if "?" in request.raw_path else NO_QUERY
    avoid = query.get("avoid", "")
    return LaunchRequest(
        spec=spec,
        raw_spec=raw_spec,
        client_address=address,
        launch_host=public_url(request, context.settings.public_url),
        origin=request.headers.get("Origin", ""),
        avoid=frozenset(unquote(name) for name in avoid.split(",") if name),
        is_build_only=query.get("build_only", "").lower() == "true",
        has_build_token=admission.has_token(request, spec, is_resumed=is_resumed),
        request_origin=request.headers.get("Origin", request.headers.get("Sec-Fetch-Site", "")),
        prefer=query.get("prefer", "")[:MEMBER_NAME_LENGTH],
    )


async def _refuse(request: web.Request, error: ServiceError) -> web.StreamResponse:
    request.app[CONTEXT].metrics.count_refusal(error.code)
    if "text/event-stream" not in request.headers.get("Accept", ""):
        return error_response(error)
    is_browser = "Sec-Fetch-Mode" in request.headers
    return web.Response(
        status=200 if is_browser else error.status,
        headers=STREAM_HEADERS,
        body=encode_event(failed_event(error)),
    )


async def _stream(
    context: FederationContext, request: web.Request, launch: Launch, seen: int
) -> web.StreamResponse:
    LAUNCH_ID.set(launch.id)  # until the request ends
    keepalive = context.settings.launch.keepalive_seconds
    response = web.StreamResponse(headers={**STREAM_HEADERS, "X-Binder-Launch": launch.id})
    with context.launches.watching(launch), context.metrics.streams.track_inprogress():
        await response.prepare(request)
        while not (launch.log.is_finished and seen >= launch.log.last_number):
            if launch.log.is_cut:
                await response.write(RECONNECT_SOON)
                return response
            if not await launch.log.wait_beyond(seen, timeout_seconds=keepalive):
                await response.write(KEEPALIVE)
            if entries := launch.log.after(seen):
                await response.write(b"".join([_encode(launch, entry) for entry in entries]))
                seen = entries[-1].number
    await _hold(response, context.settings.launch.hold_seconds, keepalive)
    return response


def _encode(launch: Launch, entry: LogEntry) -> bytes:
    return f"id: {launch.event_id(entry.number, entry.at)}\ndata: {entry.text}\n\n".encode()


async def _hold(response: web.StreamResponse, seconds: float, keepalive: float) -> None:
    """Leave the closing to the client: an EventSource whose server closes reconnects."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while (left := until - loop.time()) > 0:
        await asyncio.sleep(min(left, keepalive))
        await response.write(KEEPALIVE)
