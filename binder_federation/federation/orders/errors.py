"""Why an order is refused."""

from binder_federation.runtime.errors import Fault, ServiceError


class InvalidOrder(ServiceError):
    """The order cannot be meant so; the sentence says why."""

    code = "invalid_order"
    status = 400
    fault = Fault.REQUEST


class MemberUnknown(ServiceError):
    """There is no member of that name."""

    code = "member_unknown"
    status = 404
    fault = Fault.REQUEST


class OrderUnknown(ServiceError):
    """There is no ban, quota or invitation of that id."""

    code = "order_unknown"
    status = 404
    fault = Fault.REQUEST


class LastMember(ServiceError):
    """Nobody would be left to take launches."""

    code = "last_member"
    status = 409
    fault = Fault.REQUEST


class OrderConflict(ServiceError):
    """It does not fit what is in force."""

    code = "order_conflict"
    status = 409
    fault = Fault.REQUEST


class RevisionChanged(ServiceError):
    """Somebody else changed something since `If-Match` was read."""

    code = "revision_changed"
    status = 412
    fault = Fault.REQUEST
