"""The base of every error that somebody outside may be shown.

`code` is for programs, `message` for people; `fault` says whose mistake it is,
because a user's mistake, a member's failure and our own are answered
differently: only a member's failure is tried again elsewhere.
"""

from enum import StrEnum
from typing import Any, ClassVar


class Fault(StrEnum):
    """Whose failure it is."""

    REQUEST = "request"
    """What was asked for cannot be: a malformed link, a ban, a rate limit."""
    REPOSITORY = "repository"
    """The repository is missing, or does not build."""
    PROVIDER = "provider"
    """GitHub or another provider does not answer, or limits us."""
    MEMBER = "member"
    """One member cannot do it; another one may."""
    FEDERATION = "federation"
    """We cannot."""


class ServiceError(Exception):
    """Something went wrong, and here is a sentence about it that may be shown.

    `message` is one or two complete sentences; `advice` says what to do about it.
    `retry_after_seconds` is set when waiting helps.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    fault: ClassVar[Fault] = Fault.FEDERATION
    retryable: ClassVar[bool] = False

    def __init__(
        self, message: str, *, advice: str = "", retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.retry_after_seconds = retry_after_seconds

    def to_json(self) -> dict[str, Any]:
        """The body of an error answer."""
        body: dict[str, Any] = {
            "code": self.code,
            "message": self.message,
            "fault": self.fault.value,
            "retryable": self.retryable,
        }
        if self.advice:
            body["advice"] = self.advice
        if self.retry_after_seconds is not None:
            body["retry_after_seconds"] = round(self.retry_after_seconds, 1)
        return body
