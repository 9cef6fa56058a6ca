"""Why joining is refused."""

from binder_federation.runtime.errors import Fault, ServiceError


class MemberExists(ServiceError):
    """There is a member of that name."""

    code = "member_exists"
    status = 409
    fault = Fault.REQUEST


class AddressTaken(ServiceError):
    """Another member has this address."""

    code = "address_taken"
    status = 409
    fault = Fault.REQUEST


class NotJoined(ServiceError):
    """The member is one of the settings: it did not join by invitation."""

    code = "not_joined"
    status = 409
    fault = Fault.REQUEST


class RotationPending(ServiceError):
    """The credential is being replaced already."""

    code = "rotation_pending"
    status = 409
    fault = Fault.REQUEST


class ReportReplayed(ServiceError):
    """This report, or a later one, was taken already."""

    code = "report_replayed"
    status = 409
    fault = Fault.REQUEST


class InvalidJoinRequest(ServiceError):
    """The body is no request to join."""

    code = "invalid_join_request"
    status = 400
    fault = Fault.REQUEST


class InvitationUnknown(ServiceError):
    """There is no invitation of that id."""

    code = "invitation_unknown"
    status = 404
    fault = Fault.REQUEST
