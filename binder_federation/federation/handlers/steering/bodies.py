"""What the admin API is sent.

A time is an ISO 8601 date and time (UTC without a zone), or seconds since the epoch; `until`
and `for_seconds` say the same in two ways. A reason is one line: it is kept in the audit, and
a drain's may be shown to visitors.
"""

from typing import Annotated, Any, Self, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from binder_federation.config.federation import MemberName
from binder_federation.config.policy import QuotaScope
from binder_federation.config.resources import Moment
from binder_federation.federation.orders.errors import InvalidOrder
from binder_federation.runtime import bodies

MOST_SECONDS = 10 * 366 * 86_400.0
MOST_BYTES = 64 * 1024
LEAST_WEIGHT = 0.001
MOST_WEIGHT = 1_000_000.0

Line = Annotated[str, Field(max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
Text = Annotated[str, Field(max_length=2000)]
Lasting = Annotated[float, Field(gt=0, le=MOST_SECONDS)]
Weight = Annotated[float, Field(ge=LEAST_WEIGHT, le=MOST_WEIGHT)]


class Body(BaseModel):
    """A change's body: a misspelt name is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, populate_by_name=True
    )

    reason: Line = ""


class TimedBody(Body):
    """A change that may end by itself."""

    until: Moment | None = None
    for_seconds: Lasting | None = None

    @model_validator(mode="after")
    def _names_one_end(self) -> Self:
        if self.until is not None and self.for_seconds is not None:
            raise ValueError("give either until or for_seconds")
        return self

    def ends_at(self, now: float) -> float | None:
        """When it ends, in seconds since the epoch. Raises `InvalidOrder` for a time gone by."""
        if self.for_seconds is not None:
            return now + self.for_seconds
        if self.until is None:
            return None
        if self.until.timestamp() <= now:
            raise InvalidOrder("The time in `until` has passed already.")
        return self.until.timestamp()


class WeightBody(TimedBody):
    """`PUT …/weight`."""

    weight: Weight


class RampBody(TimedBody):
    """`PUT …/ramp`."""

    to: Weight
    over_seconds: Lasting
    from_weight: Annotated[Weight | None, Field(alias="from")] = None


class DrainBody(TimedBody):
    """`PUT …/drain`."""

    force: bool = False


class RevokeBody(Body):
    """`POST …/revoke`."""

    force: bool = False
    reinvite: bool = False
    """And invite it anew in the same order, with the weight that it joined with."""
    expires_seconds: Lasting = 7 * 86_400.0
    """Of that invitation."""


class RotateBody(Body):
    """`POST …/rotate`."""

    grace_seconds: Lasting = 86_400.0


class BanBody(TimedBody):
    """`POST /api/admin/bans`: a network or a pattern."""

    network: Text | None = None
    label: Annotated[Line, Field(max_length=200)] = ""
    pattern: Text | None = None
    message: Line = ""
    everything: bool = False

    @model_validator(mode="after")
    def _names_one_target(self) -> Self:
        if (self.network is None) == (self.pattern is None):
            raise ValueError("give either network or pattern")
        if self.network is not None and self.message:
            raise ValueError("a network has a label, a pattern has a message")
        if self.pattern is not None and self.label:
            raise ValueError("a pattern has a message, a network has a label")
        return self


class QuotaBody(Body):
    """`POST /api/admin/quotas`."""

    pattern: Text
    sessions: Annotated[int, Field(ge=0, le=10_000_000)]
    scope: QuotaScope = QuotaScope.EACH
    begins_at: Annotated[Moment | None, Field(alias="from")] = None
    until: Moment | None = None
    for_seconds: Lasting | None = None

    @model_validator(mode="after")
    def _names_one_end(self) -> Self:
        if self.until is not None and self.for_seconds is not None:
            raise ValueError("give either until or for_seconds")
        return self

    def window(self, now: float) -> tuple[float | None, float | None]:
        """From when until when it holds; `for_seconds` counts from its beginning."""
        begins_at = self.begins_at.timestamp() if self.begins_at else None
        if self.for_seconds is not None:
            return begins_at, (begins_at or now) + self.for_seconds
        return begins_at, self.until.timestamp() if self.until else None


class InvitationBody(Body):
    """`POST /api/admin/invitations`."""

    name: MemberName
    weight: Weight = 1.0
    expires_seconds: Lasting = 7 * 86_400.0


AnyBody = TypeVar("AnyBody", bound=Body)


async def read_body(request: web.Request, model: type[AnyBody]) -> AnyBody:
    """The request's body; no body is an empty one. Raises `InvalidOrder` with one sentence."""
    raw = await bodies.read_body(request, most_bytes=MOST_BYTES)
    try:
        return model.model_validate_json(raw or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise InvalidOrder(_sentence(first)) from error


def _sentence(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    what = str(error["msg"]).removeprefix("Value error, ")
    what = what[:1].lower() + what[1:] if not what.startswith("JSON") else what
    return f"The order cannot be used: {where + ': ' if where else ''}{what}."
