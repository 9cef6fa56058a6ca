"""`GET /api/stream-test`: a few events with pauses. A proxy that holds streams back is found by it.

The federation asks while a member joins; the answer tells nothing and costs nothing.
"""

import asyncio

from aiohttp import web

from binder_federation.binder.joining import STREAM_TEST_EVENTS, STREAM_TEST_PAUSE_SECONDS
from binder_federation.cluster_agent.handlers.build import STREAM_HEADERS


async def stream(request: web.Request) -> web.StreamResponse:
    """Events with the data `1`, `2` …"""
    response = web.StreamResponse(headers=STREAM_HEADERS)
    await response.prepare(request)
    for number in range(1, STREAM_TEST_EVENTS + 1):
        if number > 1:
            await asyncio.sleep(STREAM_TEST_PAUSE_SECONDS)
        await response.write(f"data: {number}\n\n".encode())
    return response
