"""Spans by OpenTelemetry, sent as OTLP over HTTP by a thread of its SDK. The extra `tracing`.

Nothing is registered globally: each service has a provider of its own. Exceptions are not
recorded, only their codes, and texts go through the same scrubbing as log lines.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

from binder_federation import __version__
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.log_context import TRACE
from binder_federation.runtime.scrubbing import Scrubber
from binder_federation.runtime.trace_context import TraceContext
from binder_federation.runtime.tracing import Attribute, Span

SEND_EVERY_SECONDS = 1.0
MOST_ATTRIBUTE_CHARACTERS = 256


class OtelTracing:
    """Makes spans and sends them in the background; what cannot be sent is dropped."""

    def __init__(
        self,
        *,
        endpoint: str,
        headers: Mapping[str, str],
        service: str,
        sample_ratio: float,
        timeout_seconds: float,
        secrets: Iterable[str] = (),
    ) -> None:
        self._scrubber = Scrubber(secrets)
        resource = Resource({"service.name": service, "service.version": __version__})
        self._provider = TracerProvider(
            resource=resource,
            sampler=ParentBased(TraceIdRatioBased(sample_ratio)),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(
            endpoint=endpoint, headers=dict(headers), timeout=timeout_seconds
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, schedule_delay_millis=SEND_EVERY_SECONDS * 1000)
        )
        self._tracer = self._provider.get_tracer("binder_federation", __version__)

    @contextmanager
    def span(self, name: str, **attributes: Attribute) -> Iterator[Span]:
        """A span around a block, below the one in `TRACE`."""
        before = TRACE.get()
        parent = trace.set_span_in_context(NonRecordingSpan(_to_otel(before))) if before else None
        made = _OtelSpan(self._tracer.start_span(name, parent), self._scrubber)
        made.note(**attributes)
        token = TRACE.set(_from_otel(made.context))
        try:
            yield made
        except ServiceError as error:
            made.fail(error.code)
            raise
        except asyncio.CancelledError:
            made.fail("cancelled")
            raise
        except Exception as error:
            made.fail(type(error).__qualname__)
            raise
        finally:
            TRACE.reset(token)
            made.end()

    async def aclose(self) -> None:
        """Send what is left; its thread waits for the collector, the loop does not."""
        await asyncio.to_thread(self._provider.shutdown)


class _OtelSpan:
    def __init__(self, span: trace.Span, scrubber: Scrubber) -> None:
        self._span = span
        self._scrubber = scrubber

    @property
    def context(self) -> SpanContext:
        return self._span.get_span_context()

    def note(self, **attributes: Attribute) -> None:
        for name, value in self._scrubber.fields(attributes).items():
            text = value[:MOST_ATTRIBUTE_CHARACTERS] if isinstance(value, str) else value
            self._span.set_attribute(f"binderfed.{name}", text)

    def fail(self, code: str) -> None:
        self._span.set_attribute("error.type", code)
        self._span.set_status(Status(StatusCode.ERROR))

    def end(self) -> None:
        self._span.end()


def _to_otel(place: TraceContext) -> SpanContext:
    return SpanContext(
        trace_id=int(place.trace_id, 16),
        span_id=int(place.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(place.flags, 16)),
        trace_state=TraceState.from_header([place.state]) if place.state else None,
    )


def _from_otel(context: SpanContext) -> TraceContext:
    return TraceContext(
        trace_id=f"{context.trace_id:032x}",
        span_id=f"{context.span_id:016x}",
        flags=f"{int(context.trace_flags) & 1:02x}",
        state=context.trace_state.to_header(),
    )
