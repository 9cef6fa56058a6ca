"""What the agent asks the federation about joining (docs/joining-protocol.md).

The one layer that retries; every request may be sent twice. Errors are `ServiceError`s with the
federation's own sentence and advice.
"""

import time
from typing import Any, NoReturn, TypeVar

import httpx
from pydantic import BaseModel, ValidationError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random

from binder_federation.binder.joining import (
    CHECKS_PATH,
    JOIN_PATH,
    LEAVE_PATH,
    JoinChecks,
    JoinReply,
    JoinRequest,
)
from binder_federation.binder.report_tokens import sign_request
from binder_federation.cluster_agent.membership.identity import Identity
from binder_federation.runtime.errors import Fault, ServiceError

MessageT = TypeVar("MessageT", bound=BaseModel)

TIMEOUT_SECONDS = 10.0
ATTEMPTS = 3


class FederationNotReached(ServiceError):
    """No answer, or not one of a federation."""

    code = "federation_not_reached"
    status = 502


class FederationRefused(ServiceError):
    """The federation says no; `reason` is its error's code."""

    code = "federation_refused"
    status = 403
    fault = Fault.REQUEST

    def __init__(self, message: str, *, advice: str = "", reason: str = "") -> None:
        super().__init__(message, advice=advice)
        self.reason = reason


class FederationApi:
    """Asks one federation."""

    def __init__(self, *, client: httpx.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url.rstrip("/")

    @property
    def url(self) -> str:
        """The federation's."""
        return self._url

    async def join(self, request: JoinRequest) -> JoinReply:
        """Exchange the invitation for a credential."""
        answer = await self._send("POST", JOIN_PATH, content=request.to_body())
        return _read(JoinReply, answer)

    async def checks(self, identity: Identity) -> JoinChecks:
        """How far the member is."""
        return _read(JoinChecks, await self._signed("GET", CHECKS_PATH, identity))

    async def check_again(self, identity: Identity) -> JoinChecks:
        """Have the checks made anew."""
        return _read(JoinChecks, await self._signed("POST", CHECKS_PATH, identity))

    async def leave(self, identity: Identity) -> None:
        """The member goes."""
        await self._signed("POST", LEAVE_PATH, identity)

    async def _signed(self, method: str, path: str, identity: Identity) -> httpx.Response:
        key = identity.signing_keys[0]
        token = sign_request(
            key.credential,
            member=identity.name,
            method=method,
            path=path,
            now=time.time(),
            generation=key.generation,
        )
        return await self._send(method, path, headers={"Authorization": f"Bearer {token}"})

    async def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(httpx.TransportError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random(0.1, 0.5),
            reraise=True,
        )
        headers = {"Content-Type": "application/json", **content.pop("headers", {})}
        try:
            answer: httpx.Response = await retrying(
                self._client.request,
                method,
                f"{self._url}{path}",
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                **content,
            )
        except httpx.HTTPError as error:
            raise FederationNotReached(
                f"{self._url} does not answer: {explain(error)}.",
                advice="Check the address, the certificate and the way out of this network.",
            ) from error
        if not answer.is_success:
            _refuse(self._url, answer)
        return answer


def explain(error: httpx.HTTPError) -> str:
    """A few words for what a connection failed of."""
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return text.partition("certificate verify failed: ")[2].partition(" (_ssl")[0] or "TLS"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return text or type(error).__name__


def _refuse(url: str, answer: httpx.Response) -> NoReturn:
    try:
        body = answer.json()
        message, reason = body["message"], str(body["code"])
    except (ValueError, KeyError, TypeError) as error:
        raise FederationNotReached(
            f"{url} answered with status {answer.status_code}, not as a federation does.",
            advice="Check the address that the federation's operator gave you.",
        ) from error
    raise FederationRefused(str(message), advice=str(body.get("advice", "")), reason=reason)


def _read(kind: type[MessageT], answer: httpx.Response) -> MessageT:
    try:
        return kind.model_validate_json(answer.content)
    except ValidationError as error:
        raise FederationNotReached(
            "The federation's answer cannot be understood.",
            advice="Its version and this agent's may not go together.",
        ) from error
