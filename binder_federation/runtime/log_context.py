"""What a log line belongs to: the request, the launch, the trace. Each task has its own.

A launch's task is begun within the request that asks for it, so it keeps the request's id.
Binding these with structlog would cost a request ten times as much.
"""

from contextvars import ContextVar

from binder_federation.runtime.trace_context import TraceContext

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The request that the present task belongs to; empty outside of one."""

LAUNCH_ID: ContextVar[str] = ContextVar("launch_id", default="")
"""The launch that the present task works on. A member has a name of its own for it, which the
federation's line `attempt_begun` tells as `member_launch`."""

TRACE: ContextVar[TraceContext | None] = ContextVar("trace", default=None)
"""The trace that the present task is part of, and where in it."""
