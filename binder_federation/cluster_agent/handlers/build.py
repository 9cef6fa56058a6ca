"""`GET /build/<provider>/<spec>`: a launch as an event stream, in BinderHub's shape.

A wrong `Accept` and a wrong token are answered with a status. Everything after
that is an event, because an EventSource cannot read an error's body. A launch whose
token names it can be watched again (`streams.py`), after `Last-Event-ID`.
"""

import asyncio
from contextlib import aclosing

import structlog
from aiohttp import web

from binder_federation.binder.errors import InvalidSpec
from binder_federation.binder.events import KEEPALIVE, encode_event, failed_event
from binder_federation.cluster_agent.context import CONTEXT, AgentContext
from binder_federation.cluster_agent.launches import LaunchRequest
from binder_federation.cluster_agent.streams import LaunchStream
from binder_federation.runtime.cors import CORS
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.web import raw_path_after

log = structlog.get_logger(__name__)

STREAM_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}
WRITE_SECONDS = 60.0
"""A client that takes nothing for so long is gone."""


async def preflight(request: web.Request) -> web.StreamResponse:
    """`OPTIONS`: a page may read the stream, whose token says that it was sent here."""
    response = request.app[CORS].preflight(request, methods="GET, HEAD, OPTIONS")
    response.headers["Allow"] = "GET, HEAD, DELETE, OPTIONS"  # DELETE is for the federation
    return response


async def check(request: web.Request) -> web.StreamResponse:
    """`HEAD`: whether a `GET` would be taken; nothing is begun."""
    _check_accepts_stream(request)
    _read(request)
    return web.Response(headers=STREAM_HEADERS)


async def build(request: web.Request) -> web.StreamResponse:
    """`GET`: the whole launch, or the rest of one that goes on."""
    context = request.app[CONTEXT]
    _check_accepts_stream(request)
    launch = _read(request)
    try:
        context.policy.check(launch.raw_path, launch.claims.client_address)
    except ServiceError as error:  # of the visitor, not of whoever relays this
        return web.Response(headers=STREAM_HEADERS, body=encode_event(failed_event(error)))
    if context.streams.find(launch) is None:
        context.draining.refuse_launches()
    response = web.StreamResponse(headers=STREAM_HEADERS)
    await response.prepare(request)
    known = context.streams.find(launch)
    stream = known or context.streams.begin(launch)
    context.streams.join(stream)
    try:
        await _relay(response, stream, context, after=_last_seen(request) if known else 0)
        stream.is_collected = True
        await _hold(response, context)
    except TimeoutError:
        log.info("stream_client_stalled")
        if request.transport is not None:
            request.transport.abort()
    finally:
        context.streams.leave(stream)
    return response


async def dismiss(request: web.Request) -> web.StreamResponse:
    """`DELETE`: the federation wants no more of this launch."""
    request.app[CONTEXT].streams.dismiss(_read(request))
    return web.Response(status=204)


def _read(request: web.Request) -> LaunchRequest:
    raw_path = raw_path_after(request, "/build/")
    return LaunchRequest(
        raw_path=raw_path,
        claims=request.app[CONTEXT].admission.check(request, raw_path),
        is_build_only=request.query.get("build_only", "").lower() == "true",
        has_token="Authorization" in request.headers or "build_token" in request.query,
        is_relayed="Authorization" in request.headers,
    )


def _last_seen(request: web.Request) -> int:
    given = request.headers.get("Last-Event-ID", "")
    return int(given) if given.isascii() and given.isdigit() and len(given) <= 12 else 0


def _check_accepts_stream(request: web.Request) -> None:
    accept = request.headers.get("Accept", "")
    if not any(kind in accept for kind in ("text/event-stream", "text/*", "*/*")):
        raise InvalidSpec(
            "This address answers with an event stream.",
            advice="Send the header Accept: text/event-stream.",
        )


async def _relay(
    response: web.StreamResponse, stream: LaunchStream, context: AgentContext, *, after: int
) -> None:
    """Write what the launch tells after the event `after`, until it has ended."""
    await _write(response, KEEPALIVE)  # the headers go out now, not with the first event
    encode = context.encoded_events.encode_numbered
    keepalive_seconds = context.settings.keepalive_seconds
    follow = stream.record.follow_from(after, idle_seconds=keepalive_seconds)
    async with aclosing(follow) as batches:
        async for entries in batches:
            data = b"".join([encode(entry.number, entry.event) for entry in entries])
            await _write(response, data or KEEPALIVE)


async def _hold(response: web.StreamResponse, context: AgentContext) -> None:
    """Leave the closing to the client, within reason."""
    streams, keepalive_seconds = context.streams, context.settings.keepalive_seconds
    loop = asyncio.get_running_loop()
    until = loop.time() + context.settings.launch.hold_seconds
    while not streams.is_stopping and (left := until - loop.time()) > 0:
        await streams.wait_for_stop(timeout_seconds=min(left, keepalive_seconds))
        await _write(response, KEEPALIVE)


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(WRITE_SECONDS):
        await response.write(data)
