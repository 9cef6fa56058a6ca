"""What can be wrong with a launch, for both services."""

from typing import ClassVar

from binder_federation.runtime.errors import Fault, ServiceError


class InvalidSpec(ServiceError):
    """The link does not say what to launch."""

    code: ClassVar[str] = "invalid_spec"
    status: ClassVar[int] = 400
    fault: ClassVar[Fault] = Fault.REQUEST


class SpecBanned(ServiceError):
    """This repository, protocol or address is not allowed here."""

    code: ClassVar[str] = "spec_banned"
    status: ClassVar[int] = 403
    fault: ClassVar[Fault] = Fault.REQUEST


class NotAuthorized(ServiceError):
    """The caller's token is missing, wrong or too old."""

    code: ClassVar[str] = "not_authorized"
    status: ClassVar[int] = 403
    fault: ClassVar[Fault] = Fault.REQUEST


class RepositoryNotFound(ServiceError):
    """There is no such repository, or it is private."""

    code: ClassVar[str] = "repository_not_found"
    status: ClassVar[int] = 404
    fault: ClassVar[Fault] = Fault.REPOSITORY


class RefNotFound(ServiceError):
    """The repository has no such branch, tag or commit."""

    code: ClassVar[str] = "ref_not_found"
    status: ClassVar[int] = 404
    fault: ClassVar[Fault] = Fault.REPOSITORY


class ProviderUnavailable(ServiceError):
    """The repository's provider does not answer, or has no quota left for us."""

    code: ClassVar[str] = "provider_unavailable"
    status: ClassVar[int] = 503
    fault: ClassVar[Fault] = Fault.PROVIDER
    retryable: ClassVar[bool] = True


class QuotaExceeded(ServiceError):
    """No more sessions fit (`pod_quota`) here just now. Not a failure: the place is full."""

    code: ClassVar[str] = "pod_quota"
    status: ClassVar[int] = 429
    fault: ClassVar[Fault] = Fault.MEMBER
    retryable: ClassVar[bool] = True


class RepositoryQuotaExceeded(QuotaExceeded):
    """This repository has as many sessions as it may have here."""

    code: ClassVar[str] = "repo_quota"


class UserQuotaExceeded(ServiceError):
    """A visitor who is logged in has as many servers as one may have at this member."""

    code: ClassVar[str] = "user_quota"
    status: ClassVar[int] = 429
    fault: ClassVar[Fault] = Fault.REQUEST


class NamedServersOff(ServiceError):
    """This member has no servers for visitors who are logged in."""

    code: ClassVar[str] = "named_servers_off"
    status: ClassVar[int] = 403
    fault: ClassVar[Fault] = Fault.REQUEST


class BuildFailed(ServiceError):
    """The repository does not build; another member would not do better."""

    code: ClassVar[str] = "build_failed"
    status: ClassVar[int] = 422
    fault: ClassVar[Fault] = Fault.REPOSITORY


class UnsupportedRepository(BuildFailed):
    """The repository needs what this kind of member cannot do (named in the message)."""

    code: ClassVar[str] = "unsupported_repository"


class MemberBuildFailed(ServiceError):
    """The member could not build, for a reason of its own: disk, time, tools."""

    code: ClassVar[str] = "member_build_failed"
    status: ClassVar[int] = 502
    fault: ClassVar[Fault] = Fault.MEMBER
    retryable: ClassVar[bool] = True


class LaunchFailed(ServiceError):
    """The image is there, but the member could not start a server from it."""

    code: ClassVar[str] = "launch_failed"
    status: ClassVar[int] = 502
    fault: ClassVar[Fault] = Fault.MEMBER
    retryable: ClassVar[bool] = True


class ServerStopped(ServiceError):
    """The image is there, but its server ends by itself; another member would not do better."""

    code: ClassVar[str] = "server_stopped"
    status: ClassVar[int] = 422
    fault: ClassVar[Fault] = Fault.REPOSITORY


class MemberUnreachable(ServiceError):
    """A member refused, reset or fell silent."""

    code: ClassVar[str] = "member_unreachable"
    status: ClassVar[int] = 502
    fault: ClassVar[Fault] = Fault.MEMBER
    retryable: ClassVar[bool] = True


class MemberRefused(ServiceError):
    """A member is well, and does not take this launch; another one may."""

    code: ClassVar[str] = "member_refused"
    status: ClassVar[int] = 502
    fault: ClassVar[Fault] = Fault.MEMBER
    retryable: ClassVar[bool] = True


class MemberLimitsUs(MemberRefused):
    """A member's rate limit: it counts the launches of an address."""

    code: ClassVar[str] = "member_limits_us"


class NoEligibleMember(ServiceError):
    """No member may take a launch now."""

    code: ClassVar[str] = "no_eligible_member"
    status: ClassVar[int] = 503
    fault: ClassVar[Fault] = Fault.FEDERATION
    retryable: ClassVar[bool] = True


class NetworkBanned(ServiceError):
    """Requests from the visitor's network are not allowed."""

    code: ClassVar[str] = "network_banned"
    status: ClassVar[int] = 403
    fault: ClassVar[Fault] = Fault.REQUEST


class RateLimited(ServiceError):
    """Too many launches from one address; later there may be more."""

    code: ClassVar[str] = "rate_limited"
    status: ClassVar[int] = 429
    fault: ClassVar[Fault] = Fault.REQUEST


class BuildQuotaExceeded(ServiceError):
    """So many builds of one repository are under way that another one has to wait."""

    code: ClassVar[str] = "build_quota"
    status: ClassVar[int] = 429
    fault: ClassVar[Fault] = Fault.REPOSITORY
    retryable: ClassVar[bool] = True
