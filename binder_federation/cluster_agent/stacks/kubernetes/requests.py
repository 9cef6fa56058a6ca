"""One request to the cluster's API: the one layer that retries, and translates what it answers.

Answers are plain JSON objects. A request is sent again, with growing pauses until the
deadline (in the event loop's time), when it only reads or deletes, or when it cannot have
had an effect. The transport (TLS, tokens and their renewal) is kubernetes_asyncio's.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import structlog
from kubernetes_asyncio.client import ApiClient
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    wait_random_exponential,
)

from binder_federation.cluster_agent.stacks.kubernetes.errors import (
    ClusterError,
    ClusterUnavailable,
    error_for,
    read_status,
)

log = structlog.get_logger(__name__)

Json = dict[str, Any]

DEADLINE_SECONDS = 30.0
"""For a request whose caller names no deadline."""
CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked."""

    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: Json | None = None
    is_repeated: bool = False
    """One that makes something: whether the caller can live with its being sent twice."""

    @property
    def is_repeatable(self) -> bool:
        """Whether sending it twice does no more than sending it once."""
        return self.is_repeated or self.method in ("GET", "DELETE")


class Requests:
    """Sends requests to one cluster."""

    def __init__(self, *, client: ApiClient) -> None:
        self._client = client

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def send(self, request: Request, *, deadline: float | None = None) -> Json | None:
        """The answer; None when there is no such object (404).

        Raises one of the `ClusterError`s.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception(lambda error: _may_send_again(request, error)),
            wait=_pause,
            before_sleep=_log_retry,
            reraise=True,
        )
        until = deadline or asyncio.get_running_loop().time() + DEADLINE_SECONDS
        try:
            async with asyncio.timeout_at(until):
                return await retrying(self._send_once, request)
        except TimeoutError as error:
            raise ClusterUnavailable("The cluster's API did not answer in time.") from error

    async def open(
        self, request: Request, *, silence_seconds: float
    ) -> aiohttp.ClientResponse | None:
        """An answer whose body is read as it comes; None for 404. The caller closes it.

        Not retried: who reads a stream knows from where to go on.
        """
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=silence_seconds
        )
        response = await self._call(request, timeout)
        if response.ok:
            return response
        try:
            async with asyncio.timeout(READ_SECONDS):
                _judge_refusal(request, response, await response.read())
                return None
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ClusterUnavailable("The cluster's API broke its answer off.") from error
        finally:
            response.close()

    async def _send_once(self, request: Request) -> Json | None:
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS
        )
        response = await self._call(request, timeout)
        try:
            body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ClusterUnavailable("The cluster's API broke its answer off.") from error
        finally:
            response.close()
        if response.ok:
            return read_status(body)
        _judge_refusal(request, response, body)
        return None

    async def _call(
        self, request: Request, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        try:
            response: aiohttp.ClientResponse = await self._client.call_api(
                request.path,
                request.method,
                query_params=list((request.query or {}).items()),
                header_params={"Accept": "application/json"},
                body=request.body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _request_timeout=timeout,
            )
        except aiohttp.ClientConnectorError as error:
            raise ClusterUnavailable(
                "The cluster's API does not answer.", was_done=False
            ) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ClusterUnavailable("The cluster's API does not answer.") from error
        return response


def _judge_refusal(request: Request, response: aiohttp.ClientResponse, body: bytes) -> None:
    """Nothing to say of an object that is not there; raises what any other refusal means.

    409 to a DELETE: there is another one of that name, the one that was meant is gone.
    """
    content = read_status(body)
    if (request.method, response.status) in (("GET", 404), ("DELETE", 404), ("DELETE", 409)):
        return
    error = error_for(response.status, content, retry_after=response.headers.get("Retry-After", ""))
    log.info(
        "cluster_refused",
        method=request.method,
        path=request.path,
        status=response.status,
        words=str(content.get("message", ""))[:500],
    )
    raise error


def _may_send_again(request: Request, error: BaseException) -> bool:
    return isinstance(error, ClusterUnavailable) and (request.is_repeatable or not error.was_done)


_growing = wait_random_exponential(multiplier=_FIRST_PAUSE_SECONDS, max=_LONGEST_PAUSE_SECONDS)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_seconds if isinstance(error, ClusterError) else None
    return max(asked or 0.0, _growing(state))


def _log_retry(state: RetryCallState) -> None:
    pause = state.next_action.sleep if state.next_action else 0.0
    log.warning(
        "cluster_request_retried", attempt=state.attempt_number, pause_seconds=round(pause, 2)
    )
