"""JupyterHub's REST API, as far as launches need it.

This is the one layer that retries: connection failures and 5xx, with growing
pauses, until the caller's deadline (in the event loop's time). What the hub
refuses for want of room becomes `QuotaExceeded`, everything else `LaunchFailed`;
what it says in its own words goes to the log, not to visitors.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import structlog
from pydantic import ValidationError
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from binder_federation.binder.errors import (
    LaunchFailed,
    NamedServersOff,
    QuotaExceeded,
    UserQuotaExceeded,
)
from binder_federation.binder.events import StreamParser
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.hub_models import (
    HubProgress,
    HubServer,
    HubUser,
    ServerStatus,
)
from binder_federation.cluster_agent.stacks.base import Hub
from binder_federation.runtime.tracing import trace_headers

log = structlog.get_logger(__name__)

REQUEST_SECONDS = 30.0
STATUS_SECONDS = 5.0
MOST_BYTES_OF_SERVER = 256 * 1024
SILENCE_SECONDS = 40.0
"""The hub's progress stream brings an empty line every 8 s."""
PAGE_USERS = 200
MAX_PAGES = 500


class HubUnavailable(LaunchFailed):
    """The hub does not answer, or answers with an error of its own (5xx)."""

    code = "hub_unavailable"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a request is sent again, and the first pause; each next one doubles."""

    retries: int
    first_seconds: float


OnFailure = Callable[[int | None], None]
"""Told of a request's status that is a failure; None when there was no answer."""
REFUSALS = (401, 403, 429)
"""Others in the 400s are answers that we count on: the server is there already, or gone."""

NO_RETRY = RetryPolicy(retries=0, first_seconds=1.0)


class HubApi:
    """A client of one hub. `hub` is asked for its addresses each time: it may move."""

    def __init__(
        self,
        *,
        client: httpx.AsyncClient,
        hub: Hub,
        policy: RetryPolicy,
        on_failure: OnFailure = lambda _status: None,
    ) -> None:
        self._client = client
        self._on_failure = on_failure
        self._hub = hub
        self._policy = policy

    async def create_user(self, name: str, *, deadline: float) -> None:
        """Make the user; one that is there already is logged in, or was made by a try that
        seemed to fail."""
        response = await self._request("POST", f"/users/{name}", deadline=deadline)
        _expect(response, 201, 409)

    async def start_server(
        self, server: ServerName, options: dict[str, Any], *, deadline: float
    ) -> None:
        """Ask for the server; it is starting, or there, when this returns."""
        response = await self._request(
            "POST", _path(server), json={"user_options": options}, deadline=deadline
        )
        # 400 is "already running", 409 "already starting": an earlier try got through.
        if response.status_code == 400 and await self.find_server(server, deadline=deadline):
            return
        _refuse_named_servers(response)
        _expect(response, 201, 202, 409)

    async def progress(self, server: ServerName) -> AsyncGenerator[HubProgress, None]:
        """The events of a server's start, until the hub ends the stream.

        The deadline is the caller's: a timeout inside a generator would strike
        while the caller is elsewhere.
        """
        timeout = httpx.Timeout(REQUEST_SECONDS, read=SILENCE_SECONDS)
        parser = StreamParser()
        try:
            async with self._client.stream(
                "GET",
                f"{self._hub.api_url}{_path(server)}/progress",
                headers={**self._headers(), "Accept": "text/event-stream"},
                timeout=timeout,
            ) as response:
                _expect(response, 200)
                async for chunk in response.aiter_bytes():
                    for message in parser.feed(chunk):
                        yield HubProgress.model_validate_json(message.data)
        except (httpx.HTTPError, ValueError) as error:
            self._on_failure(None)
            raise HubUnavailable("The hub's account of the start broke off.") from error

    async def user(self, name: str, *, deadline: float) -> HubUser | None:
        """The user, or None when there is none."""
        response = await self._request("GET", f"/users/{name}", deadline=deadline)
        _expect(response, 200, 404)
        return _read_user(response) if response.status_code == 200 else None

    async def find_server(self, server: ServerName, *, deadline: float) -> HubServer | None:
        """The server while it is active, or None."""
        user = await self.user(server.user, deadline=deadline)
        return user.active_servers.get(server) if user is not None else None

    async def users(self, *, deadline: float) -> list[HubUser]:
        """All users, page by page. Not retried: the loop that asks asks again."""
        found: list[HubUser] = []
        offset: int | None = 0
        for _ in range(MAX_PAGES):
            response = await self._request(
                "GET",
                "/users",
                params={"offset": offset, "limit": PAGE_USERS},
                headers={"Accept": "application/jupyterhub-pagination+json"},
                deadline=deadline,
                policy=NO_RETRY,
            )
            _expect(response, 200)
            users, offset = _read_page(response)
            found.extend(users)
            if offset is None:
                return found
        raise HubUnavailable("The hub's list of users does not end.")

    async def delete_server(self, server: ServerName, *, deadline: float) -> bool:
        """Stop the server; whether it is stopped already (else it is stopping). The hub forgets
        a named one then, which else would count towards its limit for the user."""
        body: dict[str, Any] = {"json": {"remove": True}} if server.is_named else {}
        response = await self._request(
            "DELETE", _path(server), deadline=deadline, policy=NO_RETRY, **body
        )
        _expect(response, 202, 204, 404)
        return response.status_code != 202

    async def delete_user(self, name: str, *, deadline: float) -> None:
        """Remove the user; a missing one is no error. Fails while a server is stopping."""
        response = await self._request(
            "DELETE", f"/users/{name}", deadline=deadline, policy=NO_RETRY
        )
        _expect(response, 204, 404)

    async def post_activity(
        self, server: ServerName, last_activity: datetime, *, deadline: float
    ) -> None:
        """Tell the hub when the server was last used."""
        when = last_activity.isoformat()
        body = {"last_activity": when, "servers": {server.name: {"last_activity": when}}}
        path = f"/users/{server.user}/activity"
        response = await self._request("POST", path, json=body, deadline=deadline, policy=NO_RETRY)
        _expect(response, 200)

    async def ensure_group(self, group: str, *, deadline: float) -> None:
        """Make the group; one that is there already is no error."""
        response = await self._request(
            "POST", f"/groups/{group}", json={}, deadline=deadline, policy=NO_RETRY
        )
        _expect(response, 201, 409)

    async def add_to_group(self, name: str, group: str, *, deadline: float) -> bool:
        """Add the user to the group; whether that worked: False when there is no such group."""
        response = await self._request(
            "POST",
            f"/groups/{group}/users",
            json={"users": [name]},
            deadline=deadline,
            policy=NO_RETRY,
        )
        _expect(response, 200, 404)
        return response.status_code == 200

    def server_url(self, server: ServerName) -> str:
        """Where browsers reach the server, with a trailing `/`."""
        return f"{self._hub.public_url}/user/{server}/"

    async def server_status(
        self, server: ServerName, token: str, *, within_seconds: float = STATUS_SECONDS
    ) -> ServerStatus | None:
        """What the server itself answers with its token; None while it does not answer.

        This goes through the proxy, as a browser will, if not by the same way to it.
        """
        content = await self.ask_server(server, token, "/api/status", within_seconds=within_seconds)
        try:
            return None if content is None else ServerStatus.model_validate_json(content)
        except ValidationError:
            return None

    async def ask_server(
        self, server: ServerName, token: str, path: str, *, within_seconds: float = STATUS_SECONDS
    ) -> bytes | None:
        """The body of a user's server's 200 at `path`; None for any other answer, or none.

        It is a stranger's code that answers: no redirect is followed, and an answer that is
        larger than `MOST_BYTES_OF_SERVER`, or takes longer than that, is none.
        """
        content = bytearray()
        try:
            async with (
                asyncio.timeout(within_seconds),
                self._client.stream(
                    "GET",
                    f"{self._hub.proxy_url}/user/{server}{path}",
                    headers={"Authorization": f"token {token}", "Accept-Encoding": "identity"},
                    follow_redirects=False,
                ) as response,
            ):
                if response.status_code != 200:
                    return None
                async for chunk in response.aiter_raw():
                    content += chunk
                    if len(content) > MOST_BYTES_OF_SERVER:
                        return None
        except (httpx.HTTPError, TimeoutError):
            return None
        return bytes(content)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        deadline: float,
        policy: RetryPolicy | None = None,
        headers: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> httpx.Response:
        policy = policy or self._policy
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(HubUnavailable),
            stop=stop_after_attempt(policy.retries + 1),
            wait=wait_exponential(multiplier=policy.first_seconds),
            before_sleep=_log_retry,
            reraise=True,
        )
        try:
            async with asyncio.timeout_at(deadline):
                return await retrying(
                    self._send,
                    method,
                    path,
                    headers={**self._headers(), **(headers or {})},
                    **kwargs,
                )
        except TimeoutError as error:
            raise HubUnavailable("The hub did not answer in time.") from error

    async def _send(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        url = f"{self._hub.api_url}{path}"
        try:
            response = await self._client.request(method, url, timeout=REQUEST_SECONDS, **kwargs)
        except httpx.HTTPError as error:
            self._on_failure(None)
            raise HubUnavailable("The hub of this member does not answer.") from error
        if response.status_code >= 500 or response.status_code in REFUSALS:
            self._on_failure(response.status_code)
        if response.status_code >= 500:
            raise HubUnavailable(
                f"The hub of this member answered with status {response.status_code}."
            )
        return response

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"token {self._hub.api_token}", **trace_headers()}


def _path(server: ServerName) -> str:
    """Of the server in the hub's API; both names are of characters that need no escape."""
    if server.is_named:
        return f"/users/{server.user}/servers/{server.name}"
    return f"/users/{server.user}/server"


def _refuse_named_servers(response: httpx.Response) -> None:
    """Raise what JupyterHub's own words say of named servers: off, or enough of them."""
    if response.status_code != 400:
        return
    text = _text(response)
    if "Named servers are not enabled" in text:
        raise NamedServersOff(
            "This member's hub has no servers for visitors who are logged in.",
            advice="Another member may have, or launch without logging in.",
        )
    if "the maximum of" in text and "named servers" in text:
        raise UserQuotaExceeded(
            "You have as many servers at this member as its hub allows.",
            advice="Shut one of them down, and delete it, first.",
        )


def _expect(response: httpx.Response, *statuses: int) -> None:
    """Raise what an unexpected status means."""
    status = response.status_code
    if status in statuses:
        return
    log.warning("hub_refused", path=response.request.url.path, status=status)
    if status == 429 or (status == 403 and "exceeded quota" in _text(response)):
        raise QuotaExceeded(
            "This member starts as many servers as it can just now.",
            advice="Try again in a moment.",
            retry_after_seconds=_retry_after(response),
        )
    if status >= 500:
        raise HubUnavailable(f"The hub of this member answered with status {status}.")
    raise LaunchFailed(f"The hub of this member refused the request with status {status}.")


def _text(response: httpx.Response) -> str:
    return response.text if response.is_stream_consumed else ""


def _retry_after(response: httpx.Response) -> float:
    given = response.headers.get("Retry-After", "")
    return float(given) if given.isdigit() else 30.0


def _read_page(response: httpx.Response) -> tuple[list[HubUser], int | None]:
    """The users on a page, and where the next one begins."""
    try:
        body = response.json()
        if isinstance(body, list):  # a hub before 2.0 knows no pages
            items, following = body, None
        else:
            items, following = body["items"], body["_pagination"]["next"]
        users = [HubUser.model_validate(item) for item in items]
        return users, int(following["offset"]) if following else None
    except (ValueError, KeyError, TypeError) as error:
        raise HubUnavailable("The hub's list of users cannot be read.") from error


def _read_user(response: httpx.Response) -> HubUser:
    try:
        return HubUser.model_validate_json(response.content)
    except ValidationError as error:
        raise HubUnavailable("The hub's account of a user cannot be read.") from error


def _log_retry(state: RetryCallState) -> None:
    pause = state.next_action.sleep if state.next_action else 0.0
    log.warning("hub_request_retried", attempt=state.attempt_number, pause_seconds=pause)
