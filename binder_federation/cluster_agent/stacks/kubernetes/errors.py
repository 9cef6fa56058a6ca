"""What can be wrong with the cluster's API, and what its answers mean.

The API answers an error with a `Status` object, whose `reason` is for programs and
whose `message` is for its operators: the message goes to the log, never to visitors.
https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
"""

import json
import re
from typing import Any, ClassVar

from binder_federation.runtime.errors import Fault, ServiceError

_MISSING_RIGHT = re.compile(
    r"cannot (?P<verb>\w+) resource \"(?P<resource>[^\"]+)\" in API group \"[^\"]*\""
    r"(?: in the namespace \"(?P<namespace>[^\"]+)\")?"
)


class ClusterError(ServiceError):
    """The cluster does not do what it is asked."""

    code: ClassVar[str] = "cluster_error"
    status: ClassVar[int] = 502
    fault: ClassVar[Fault] = Fault.MEMBER
    retryable: ClassVar[bool] = True


class ClusterUnavailable(ClusterError):
    """The API does not answer, or answers that it cannot just now.

    `was_done` is False when the request cannot have had any effect, so that even one that
    makes something may be sent again.
    """

    code: ClassVar[str] = "cluster_unavailable"

    def __init__(self, message: str, *, was_done: bool = True, after_seconds: float = 0.0) -> None:
        super().__init__(message, retry_after_seconds=after_seconds or None)
        self.was_done = was_done


class ClusterFull(ClusterError):
    """The namespace's quota has no place for it: the member's capacity is used up."""

    code: ClassVar[str] = "cluster_full"
    status: ClassVar[int] = 429


class NotAllowed(ClusterError):
    """The agent's role lacks a right, or its token is not accepted. Waiting does not help."""

    code: ClassVar[str] = "cluster_not_allowed"


class ClusterRefused(ClusterError):
    """The cluster has a rule against it, or cannot make sense of it."""

    code: ClassVar[str] = "cluster_refused"


class AlreadyThere(ClusterError):
    """An object of that name exists."""

    code: ClassVar[str] = "cluster_already_there"
    status: ClassVar[int] = 409


class TooOld(ClusterError):
    """A watch cannot go on from there: list anew (410)."""

    code: ClassVar[str] = "cluster_too_old"


def read_status(body: bytes) -> dict[str, Any]:
    """The `Status` in an answer; empty when it is none."""
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def error_for(status: int, content: dict[str, Any], *, retry_after: str = "") -> ClusterError:
    """The error that an answer stands for. `status` is not 2xx; 404 here is of
    something to be made: what is asked for in vain is a value, not an error."""
    reason, message = str(content.get("reason", "")), str(content.get("message", ""))
    after_seconds = float(retry_after) if retry_after.isdigit() else 0.0
    match status:
        case 401:
            return NotAllowed(
                "The cluster does not accept the token of this member's agent.",
                advice="Check the agent's service account, or the user in its kubeconfig file.",
            )
        case 403:
            return _forbidden(message)
        case 404:
            return ClusterRefused(
                "The namespace of this member is not in the cluster.",
                advice="Check kubernetes.namespace in the agent's settings.",
            )
        case 409 if reason == "AlreadyExists":
            return AlreadyThere("An object of that name is in the cluster already.")
        case 409 | 429:  # 409 Conflict: two requests counted against one quota at once
            return ClusterUnavailable(
                "The cluster is too busy for the request.",
                was_done=False,
                after_seconds=after_seconds,
            )
        case 410:
            return TooOld("The cluster does not remember that far back.")
        case _ if status >= 500:
            return ClusterUnavailable(
                f"The cluster's API answered with status {status}.", after_seconds=after_seconds
            )
    return ClusterRefused(
        f"The cluster refused the request with status {status}.",
        advice="The agent's log has the cluster's own words.",
    )


def _forbidden(message: str) -> ClusterError:
    if "exceeded quota" in message:
        return ClusterFull("The quota of this member's namespace is used up.")
    right = _MISSING_RIGHT.search(message)
    if right is None:
        return ClusterRefused(
            "A rule of the cluster forbids it.",
            advice="The agent's log has the cluster's own words.",
        )
    where = f" in the namespace {right['namespace']}" if right["namespace"] else " in the cluster"
    return NotAllowed(
        f"This member's agent may not {right['verb']} {right['resource']}{where}.",
        advice=f"Its Role needs the verb {right['verb']!r} for {right['resource']!r}.",
    )
