"""The one way to Redis: every command has a deadline and passes the breaker.

redis-py is told to try nothing again; whoever calls has something to fall back to and
does that instead. While the breaker is open a call fails at once, and a task in the
background asks Redis, under the same deadline as launches have, whether it answers again.
"""

import asyncio
import contextlib
import secrets
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import structlog
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from redis.asyncio.connection import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from binder_federation.config.federation import RedisSettings
from binder_federation.federation.shared.breaker import (
    Breaker,
    BreakerRules,
    BreakerState,
    begin_probe,
    observe_failure,
    observe_success,
)
from binder_federation.federation.shared.keys import Keys
from binder_federation.federation.shared.metrics import SharedMetrics
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.tasks import BackgroundTasks

log = structlog.get_logger(__name__)

T = TypeVar("T")

TELL_EVERY_SECONDS = 60.0
UNREADABLE = (
    ValueError, KeyError, TypeError, IndexError, AttributeError, ArithmeticError, struct.error,
)  # fmt: skip
"""What reading something else than expected raises."""


class RedisUnavailable(ServiceError):
    """Redis did not answer in time, or is not asked now. Callers have something else to do."""

    code = "redis_unavailable"
    status = 503
    retryable = True


class RedisConnection:
    """Redis under deadlines. `keys` are the names to use, `replica_id` is this process."""

    def __init__(
        self,
        settings: RedisSettings,
        *,
        tasks: BackgroundTasks,
        registry: CollectorRegistry,
        rules: BreakerRules | None = None,
    ) -> None:
        self.settings = settings
        self.keys = Keys(settings.prefix)
        self.replica_id = secrets.token_hex(8)
        self.metrics = SharedMetrics(registry)
        self._tasks = tasks
        self._rules = rules or BreakerRules()
        self._breaker = Breaker()
        self._probing: asyncio.Task[Any] | None = None
        self._told_at: dict[str, float] = {}
        self._closed = asyncio.Event()
        self._closed.set()
        self._client = make_client(settings)

    @property
    def is_open(self) -> bool:
        """Whether Redis is not asked now."""
        return self._breaker.state is not BreakerState.CLOSED

    async def call(
        self,
        kind: str,
        ask: Callable[["Redis"], Awaitable[T]],
        *,
        deadline_seconds: float | None = None,
    ) -> T:
        """What `ask(client)` returns, within the deadline (by default that of a launch).

        `kind` names the call in metrics. Raises `RedisUnavailable`, at once while the
        breaker is open.
        """
        if self.is_open:
            raise RedisUnavailable("Redis is not asked now, as it did not answer before.")
        return await self._ask(kind, ask, deadline_seconds)

    async def call_in_background(self, kind: str, ask: Callable[["Redis"], Awaitable[T]]) -> T:
        """As `call`, for what no launch waits for."""
        seconds = self.settings.background_deadline_seconds
        return await self.call(kind, ask, deadline_seconds=seconds)

    async def wait_until_usable(self) -> None:
        """Return once the breaker is closed. It has no deadline: for loops in the background."""
        await self._closed.wait()

    async def aclose(self) -> None:
        """Close every connection."""
        if self._probing is not None:
            self._probing.cancel()
        with contextlib.suppress(RedisError, OSError):
            await self._client.aclose()

    async def _ask(
        self, kind: str, ask: Callable[["Redis"], Awaitable[T]], deadline_seconds: float | None
    ) -> T:
        soon = self.settings.deadline_seconds
        began = time.monotonic()
        try:
            async with asyncio.timeout(deadline_seconds or soon):
                answer = await ask(self._client)
        except UNREADABLE as error:  # while `ask` read the answer
            self.note_unreadable(kind, error)
            raise RedisUnavailable("Redis has something that cannot be read.") from error
        except ResponseError as error:  # an answer in time, though not the one we want
            self.metrics.failed.labels(kind).inc()
            self._tell_refusal(kind, error)
            raise RedisUnavailable("Redis refused a command.") from error
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            self.metrics.failed.labels(kind).inc()
            self._failed(error)
            raise RedisUnavailable("Redis did not answer in time.") from error
        if time.monotonic() - began <= soon:  # a slow success says nothing for launches
            self._answered()
        return answer

    def decoded(self, kind: str, decode: Callable[[], T]) -> T | None:
        """What `decode()` reads in a value of Redis's; None when it is none of ours.

        Anything may stand in Redis: written by another version, by hand, by somebody who should
        not. It is skipped and counted, and whoever reads goes on.
        """
        try:
            return decode()
        except UNREADABLE as error:
            self.note_unreadable(kind, error)
            return None

    def note_unreadable(self, kind: str, error: BaseException) -> None:
        """A value was skipped."""
        self.metrics.unreadable.labels(kind).inc()
        self._tell_rarely("redis_value_skipped", kind, error)

    async def execute(self, kind: str, pipeline: Any) -> list[Any]:
        """The answers to a pipeline's commands: None for one whose key holds something else.

        Other refusals (no memory, read-only) are for all of them, and raised.
        """
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        for number, answer in enumerate(answers):
            if isinstance(answer, ResponseError) and str(answer).startswith("WRONGTYPE"):
                self.note_unreadable(kind, answer)
                answers[number] = None
            elif isinstance(answer, Exception):
                raise answer
        return answers

    def _tell_refusal(self, kind: str, error: ResponseError) -> None:
        """Log it, but not each time: a Redis that is full refuses every write."""
        self._tell_rarely("redis_refused", kind, error)

    def _tell_rarely(self, event: str, kind: str, error: BaseException) -> None:
        now, about = time.monotonic(), f"{event} {kind}"
        if now - self._told_at.get(about, float("-inf")) >= TELL_EVERY_SECONDS:
            self._told_at[about] = now
            log.warning(event, kind=kind, reason=repr(error)[:200])

    def _answered(self) -> None:
        if self._breaker.failures and not self.is_open:
            self._breaker = observe_success(self._breaker)

    def _failed(self, error: Exception) -> None:
        was_open = self.is_open
        self._breaker = observe_failure(self._breaker, self._rules)
        if self.is_open and not was_open:
            log.warning("redis_breaker_opened", reason=repr(error)[:200])
            self._closed.clear()
            self.metrics.set_breaker(self._breaker.state)
            self._probing = self._tasks.start(self._probe_until_answered(), name="redis probe")

    async def _probe_until_answered(self) -> None:
        while self.is_open:
            await asyncio.sleep(self._breaker.pause_seconds)
            self._breaker = begin_probe(self._breaker)
            self.metrics.set_breaker(self._breaker.state)
            try:
                await self._ask("probe", lambda client: client.ping(), None)
            except RedisUnavailable:
                pass  # `_failed` has opened the breaker again, for longer
            else:
                self._breaker = observe_success(self._breaker)
            self.metrics.set_breaker(self._breaker.state)
        log.info("redis_breaker_closed")
        self._closed.set()


def make_client(settings: RedisSettings, *, most_connections: int | None = None) -> "Redis":
    """A client that tries nothing again and has no deadline of its own."""
    pool = BlockingConnectionPool.from_url(
        settings.url.get_secret_value(),
        max_connections=most_connections or settings.most_connections,
        timeout=None,  # the caller's deadline holds for this wait, too
        socket_timeout=None,
        socket_connect_timeout=settings.background_deadline_seconds,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
        **_secrets(settings),
    )
    return Redis.from_pool(pool)


def _secrets(settings: RedisSettings) -> dict[str, str]:
    options = {}
    if settings.password is not None:
        options["password"] = settings.password.get_secret_value()
    if settings.tls_ca_file is not None:
        options["ssl_ca_certs"] = settings.tls_ca_file
    return options


@contextlib.asynccontextmanager
async def open_connection(
    settings: RedisSettings, *, tasks: BackgroundTasks, registry: CollectorRegistry
) -> AsyncIterator[RedisConnection]:
    """A connection that is closed at the end. Redis need not be there: nothing is asked yet."""
    connection = RedisConnection(settings, tasks=tasks, registry=registry)
    try:
        yield connection
    finally:
        await connection.aclose()
