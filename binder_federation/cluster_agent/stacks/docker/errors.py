"""What can be wrong with the engine: all of it is the member's."""

from typing import ClassVar

from binder_federation.runtime.errors import Fault, ServiceError


class EngineError(ServiceError):
    """The engine does not do what it was asked."""

    code: ClassVar[str] = "engine_error"
    status: ClassVar[int] = 502
    fault: ClassVar[Fault] = Fault.MEMBER
    retryable: ClassVar[bool] = True


class EngineUnavailable(EngineError):
    """The engine does not answer."""

    code: ClassVar[str] = "engine_unavailable"
    status: ClassVar[int] = 503


class InUse(EngineError):
    """A container uses what was to be removed."""

    code: ClassVar[str] = "in_use"
    status: ClassVar[int] = 409
