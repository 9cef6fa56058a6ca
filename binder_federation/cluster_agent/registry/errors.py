"""What can be wrong with a registry. All of it is the member's: another one may do better."""

from typing import ClassVar

from binder_federation.runtime.errors import Fault, ServiceError


class RegistryError(ServiceError):
    """Something is wrong with the registry or with how it is reached."""

    code: ClassVar[str] = "registry_error"
    status: ClassVar[int] = 502
    fault: ClassVar[Fault] = Fault.MEMBER
    retryable: ClassVar[bool] = True


class RegistryUnavailable(RegistryError):
    """The registry, or who gives out its tokens, does not answer as it should. Waiting may help."""

    code: ClassVar[str] = "registry_unavailable"


class RegistryDenied(RegistryError):
    """The registry does not let this member do that. Waiting does not help."""

    code: ClassVar[str] = "registry_denied"


class DeletionUnsupported(RegistryError):
    """Images cannot be deleted there, or not by this member."""

    code: ClassVar[str] = "registry_deletion_unsupported"
    status: ClassVar[int] = 501


class ImageUnreadable(RegistryError):
    """What the tag points at is no image that could be started here."""

    code: ClassVar[str] = "image_unreadable"
