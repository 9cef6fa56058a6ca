"""One probe of one member: `/health` and `/versions`, each asked once.

`/health` is BinderHub's: 200 or 503 with `{"ok", "checks": [{"service", "ok", …}]}`.
A 503's checks are read like a 200's, as they say what is wrong. Full is not
unhealthy: the check `Pod quota` never counts, and neither do checks that are marked
`_ignore_failure`; the checks after them do. `/versions` is information only: without
an answer the verdict stands. What a member sends is bounded in time and size.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from binder_federation.runtime.bounded import clean_line, read_json

MAX_BODY_BYTES = 64 * 1024
MAX_CHECKS = 50
MAX_NAME_LENGTH = 100
MAX_FIGURE = 1e9
CAPACITY_CHECK = "Pod quota"


@dataclass(frozen=True, slots=True)
class ProbedCheck:
    """One of a member's checks. `numbers` are its figures, such as `quota`."""

    service: str
    ok: bool
    is_decisive: bool
    """Whether the member is unwell when this fails."""
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What a probe found. `reason` is a short code: `ok`, `timeout`, `refused`, `tls`,
    `unresolved`, `unreachable`, `reset`, `status_500`, `malformed`, `not_ok`, or
    `check:<service>`. `versions` is None when they were not to be had."""

    passed: bool
    reason: str
    checks: tuple[ProbedCheck, ...] = ()
    versions: Mapping[str, str | int] | None = None
    tls_not_after: float | None = None
    """When the member's certificate ends, in seconds since 1970; None without TLS."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """A status and a body, or the code of what went wrong instead."""

    status: int = 0
    body: bytes = b""
    problem: str = ""
    tls_not_after: float | None = None


async def probe(
    client: httpx.AsyncClient,
    base_url: str,
    *,
    timeout_seconds: float,
    connect_seconds: float | None = None,
) -> ProbeResult:
    """Probe the member at `base_url`; what a member can do wrong is an answer, not an error.

    Both requests are made at the same time, each with `timeout_seconds` to end, and less of
    it, `connect_seconds`, to reach the member.
    """
    limits = httpx.Timeout(timeout_seconds, connect=connect_seconds or timeout_seconds)
    health, versions = await asyncio.gather(
        _fetch(client, f"{base_url}/health", timeout_seconds, limits),
        _fetch(client, f"{base_url}/versions", timeout_seconds, limits),
    )
    reason, checks = judge_health(health.status, health.body, health.problem)
    return ProbeResult(
        passed=reason == "ok",
        reason=reason,
        checks=checks,
        versions=_read_versions(versions),
        tls_not_after=health.tls_not_after,
    )


def judge_health(
    status: int, body: bytes, problem: str = ""
) -> tuple[str, tuple[ProbedCheck, ...]]:
    """The reason code of a `/health` answer, and its checks."""
    if problem:
        return problem, ()
    if status not in (200, 503):
        return f"status_{status}", ()
    content = _read_object(body)
    if content is None:
        return ("malformed" if status == 200 else f"status_{status}"), ()
    checks = _read_checks(content)
    if checks is None:
        return "malformed", ()
    failing = [check for check in checks if not check.ok]
    for check in failing:
        if check.is_decisive:
            return f"check:{check.service}", checks
    if failing or (status == 200 and content.get("ok", True) is not False):
        return "ok", checks
    return ("not_ok" if status == 200 else f"status_{status}"), checks


async def _fetch(
    client: httpx.AsyncClient, url: str, timeout_seconds: float, limits: httpx.Timeout
) -> _Answer:
    try:
        # httpx's own limits are per read; this one is for the whole answer.
        async with (
            asyncio.timeout(timeout_seconds),
            client.stream(
                "GET", url, timeout=limits, headers={"Accept": "application/json"}
            ) as response,
        ):
            body = b""
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    return _Answer(problem="malformed")
            return _Answer(response.status_code, body, tls_not_after=_certificate_end(response))
    except (TimeoutError, httpx.TimeoutException):
        return _Answer(problem="timeout")
    except httpx.HTTPError as error:
        return _Answer(problem=_name_problem(error))
    except httpx.InvalidURL:
        return _Answer(problem="unreachable")


def _certificate_end(response: httpx.Response) -> float | None:
    stream = response.extensions.get("network_stream")
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    certificate = tls.getpeercert() if tls is not None else None
    end = certificate.get("notAfter") if certificate else None
    return float(ssl.cert_time_to_seconds(end)) if end else None


def _name_problem(error: httpx.HTTPError) -> str:
    causes = _causes(error)
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        return "tls"
    if isinstance(error, httpx.ConnectError):
        if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
            return "refused"
        is_unresolved = any(isinstance(cause, socket.gaierror) for cause in causes)
        return "unresolved" if is_unresolved else "unreachable"
    if isinstance(error, httpx.DecodingError):
        return "malformed"
    is_cut = isinstance(error, httpx.NetworkError | httpx.ProtocolError)
    return "reset" if is_cut else "unreachable"


def _causes(error: BaseException) -> list[BaseException]:
    """The error and all that led to it, through groups too."""
    found: list[BaseException] = []
    queue: list[BaseException | None] = [error]
    while queue:
        each = queue.pop()
        if each is None or each in found:
            continue
        found.append(each)
        queue += [each.__cause__, each.__context__]
        if isinstance(each, BaseExceptionGroup):
            queue += each.exceptions
    return found


def _read_object(body: bytes) -> dict[str, Any] | None:
    try:
        content = read_json(body)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _read_checks(content: Mapping[str, Any]) -> tuple[ProbedCheck, ...] | None:
    raw = content.get("checks", [])
    if not isinstance(raw, list):
        return None
    checks = []
    for each in raw[:MAX_CHECKS]:
        if not isinstance(each, dict):
            return None
        checks.append(_read_check(each))
    return tuple(checks)


def _read_check(raw: Mapping[str, Any]) -> ProbedCheck:
    named = raw.get("service")
    service = (clean_line(named, MAX_NAME_LENGTH) if isinstance(named, str) else "") or "unnamed"
    return ProbedCheck(
        service=service,
        ok=raw.get("ok") is True,
        is_decisive=service != CAPACITY_CHECK and not raw.get("_ignore_failure"),
        numbers={
            clean_line(name, MAX_NAME_LENGTH): value
            for name, value in list(raw.items())[:MAX_CHECKS]
            if isinstance(value, int | float)
            and not isinstance(value, bool)
            and abs(value) <= MAX_FIGURE
        },
    )


def _read_versions(answer: _Answer) -> Mapping[str, str | int] | None:
    content = _read_object(answer.body) if answer.status == 200 else None
    if content is None:
        return None
    return {
        clean_line(name, MAX_NAME_LENGTH): (
            clean_line(value, MAX_NAME_LENGTH) if isinstance(value, str) else value
        )
        for name, value in list(content.items())[:MAX_CHECKS]
        if isinstance(value, str | int)
    }
