"""Reading a request's body: after its sender is known, up to a size, within a time.

A handler finds out from the head who asks, and only then reads. Each says how much its body may
be; a larger one is refused by its `Content-Length` before a byte of it is read, or as soon as
more has come. Who sends half of it and waits is answered after some seconds. A few large bodies
are read at once, so that many of them do not fill the memory together.

What is refused unread is not cut off: the server goes on reading for a moment and throws that away
(`serving.py`, its `LINGER_SECONDS`), since a client that is still sending would see a broken
connection in the place of our answer.
"""

import asyncio
from typing import ClassVar

from aiohttp import web

from binder_federation.runtime.errors import Fault, ServiceError

READ_SECONDS = 20.0
LARGE_BYTES = 64 * 1024
_LARGE_AT_ONCE = 4
_LARGE_WAIT_SECONDS = 10.0

LARGE_BODIES: web.AppKey[asyncio.Semaphore] = web.AppKey("large_bodies", asyncio.Semaphore)


class BodyTooLarge(ServiceError):
    """The body is larger than its route takes."""

    code: ClassVar[str] = "body_too_large"
    status: ClassVar[int] = 413
    fault: ClassVar[Fault] = Fault.REQUEST


class BodyTooSlow(ServiceError):
    """The body did not come in time."""

    code: ClassVar[str] = "body_too_slow"
    status: ClassVar[int] = 408
    fault: ClassVar[Fault] = Fault.REQUEST


class BodyBroken(ServiceError):
    """The body ended before its length, or cannot be decoded."""

    code: ClassVar[str] = "body_broken"
    status: ClassVar[int] = 400
    fault: ClassVar[Fault] = Fault.REQUEST


class TooManyLargeBodies(ServiceError):
    """Others are sending as much as is read at once."""

    code: ClassVar[str] = "too_many_large_bodies"
    status: ClassVar[int] = 503
    retryable: ClassVar[bool] = True


def add_body_limits(app: web.Application) -> None:
    """What `read_body` needs of the application."""
    app[LARGE_BODIES] = asyncio.Semaphore(_LARGE_AT_ONCE)


async def read_body(
    request: web.Request, *, most_bytes: int, seconds: float = READ_SECONDS
) -> bytes:
    """The whole body.

    Raises `BodyTooLarge`, `BodyTooSlow`, `BodyBroken`, and `TooManyLargeBodies` for one that may
    be more than 64 KiB while four others of that kind are read.
    """
    told = request.content_length
    if told is not None and told > most_bytes:
        raise _too_large(most_bytes)
    if most_bytes <= LARGE_BYTES or (told is not None and told <= LARGE_BYTES):
        return await _read(request, most_bytes, seconds)
    large = request.app[LARGE_BODIES]
    try:
        async with asyncio.timeout(_LARGE_WAIT_SECONDS):
            await large.acquire()
    except TimeoutError as error:
        raise TooManyLargeBodies(
            "Too many large requests are read just now.",
            advice="Send it again in a moment.",
            retry_after_seconds=_LARGE_WAIT_SECONDS,
        ) from error
    try:
        return await _read(request, most_bytes, seconds)
    finally:
        large.release()


async def _read(request: web.Request, most_bytes: int, seconds: float) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > most_bytes:
                    raise _too_large(most_bytes)
    except TimeoutError as error:
        raise BodyTooSlow(
            f"The request's body did not come within {seconds:g} seconds.",
            advice="Send it again, all at once.",
        ) from error
    except web.RequestPayloadError as error:
        raise BodyBroken("The request's body ended early, or cannot be decoded.") from error
    return bytes(body)


def _too_large(most_bytes: int) -> BodyTooLarge:
    size = f"{most_bytes >> 20} MiB" if most_bytes >= 1 << 20 else f"{most_bytes >> 10} KiB"
    return BodyTooLarge(f"The request's body is larger than the {size} that this address takes.")
