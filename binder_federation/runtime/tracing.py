"""Spans of what a launch does, if somebody wants them; else nothing, at next to no cost.

The services name their spans here and know no library. `otel.py` sends them by OpenTelemetry,
and is imported only when the settings say where to (docs/tracing.md). A span's place in its
trace is in `log_context.TRACE` while it lasts: log lines tell it, and requests to members and
hubs carry it. Without OpenTelemetry the visitor's own place is passed on as it came.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import Protocol

from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.log_context import TRACE

Attribute = str | int | float | bool


class TracingNotInstalled(ServiceError):
    """Traces are wanted, and what sends them is missing."""

    code = "tracing_not_installed"


class Span(Protocol):
    """One part of a launch."""

    def note(self, **attributes: Attribute) -> None:
        """Say more about it; the names stand under `binderfed.`."""

    def fail(self, code: str) -> None:
        """It ended badly."""


class Tracing(Protocol):
    """Makes spans."""

    def span(self, name: str, **attributes: Attribute) -> AbstractContextManager[Span]:
        """A span around a block, below the present one. An exception that leaves the block makes
        it a failed one; of the exception only its code or its kind is told."""


class _NoSpan:
    def note(self, **attributes: Attribute) -> None:
        """Nobody listens."""

    def fail(self, code: str) -> None:
        """Nobody listens."""


class NoTracing:
    """Records nothing."""

    _NOTHING = nullcontext(_NoSpan())

    def span(self, name: str, **attributes: Attribute) -> AbstractContextManager[Span]:  # noqa: ARG002
        """Nothing around the block."""
        return self._NOTHING


NO_TRACING: Tracing = NoTracing()


@asynccontextmanager
async def open_tracing(
    *,
    endpoint: str | None,
    headers: Mapping[str, str],
    service: str,
    sample_ratio: float = 1.0,
    timeout_seconds: float = 5.0,
    secrets: Iterable[str] = (),
) -> AsyncIterator[Tracing]:
    """Tracing to `endpoint` (OTLP over HTTP); without one, none. Leaving it sends what is left.

    `secrets` are texts that no span may hold. Raises `TracingNotInstalled`.
    """
    if endpoint is None:
        yield NO_TRACING
        return
    try:
        from binder_federation.runtime.otel import OtelTracing  # only who wants it pays for it
    except ImportError as error:
        raise TracingNotInstalled(
            "telemetry.otlp_endpoint is set, but OpenTelemetry is not installed here.",
            advice="Install binder-federation[tracing], or take the setting out.",
        ) from error
    tracing = OtelTracing(
        endpoint=endpoint,
        headers=headers,
        service=service,
        sample_ratio=sample_ratio,
        timeout_seconds=timeout_seconds,
        secrets=secrets,
    )
    try:
        yield tracing
    finally:
        await tracing.aclose()


def trace_headers() -> dict[str, str]:
    """What a request carries that is made now; nothing outside of a trace."""
    trace = TRACE.get()
    return trace.headers() if trace is not None else {}
