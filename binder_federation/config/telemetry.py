"""Where a service's traces go (docs/tracing.md)."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from binder_federation.config.providers import Seconds, Section


def _endpoint(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must be a URL that begins with http:// or https://")
    return value


class TelemetrySettings(Section):
    """Traces, by OpenTelemetry; for them the extra `tracing` must be installed."""

    otlp_endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
    """Where spans are sent (OTLP over HTTP), with its path: `http://collector:4318/v1/traces`.
    Without one nothing is traced; `traceparent` is passed on all the same."""
    otlp_headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Further headers for that, such as a key of the collector's."""

    @property
    def plain_headers(self) -> dict[str, str]:
        """The headers as they are sent."""
        return {name: value.get_secret_value() for name, value in self.otlp_headers.items()}

    sample_ratio: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Of the launches whose request is part of no trace yet, how many are traced."""
    timeout_seconds: Seconds = 5.0
    """The longest that sending some spans may take. Launches never wait for it."""
