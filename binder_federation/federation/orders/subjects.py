"""The member that an order is about, as the settings or its invitation have it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from binder_federation.config.federation import MemberSettings
from binder_federation.federation.core.steering import is_revoked
from binder_federation.federation.orders.errors import MemberUnknown, OrderConflict
from binder_federation.federation.steering.document import SteeringDocument

Configured = Mapping[str, MemberSettings]
"""The settings' members by name."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A member without any live order."""

    name: str
    weight: float
    """The settings', or its invitation's."""
    is_draining: bool
    is_set: bool
    """Whether it is in the settings; else it joined."""


def find_subject(configured: Configured, document: SteeringDocument, name: str) -> Subject:
    """The member `name`. Raises `MemberUnknown`. A settings' member goes before one that joined."""
    for subject in all_subjects(configured, document):
        if subject.name == name:
            return subject
    raise MemberUnknown(
        f"There is no member of the name {name[:63]!r}.", advice="`binderfed members` names them."
    )


def find_present(
    configured: Configured, document: SteeringDocument, name: str, now: float
) -> Subject:
    """The same; raises `OrderConflict` for a member that was revoked."""
    subject = find_subject(configured, document, name)
    if is_revoked(document, name, now):
        raise OrderConflict(
            f"{name} was revoked and is no member now.",
            advice="Invite it anew, or take the revocation back if it is in the settings.",
        )
    return subject


def all_subjects(configured: Configured, document: SteeringDocument) -> Iterator[Subject]:
    """Every member, of the settings first."""
    for name, member in configured.items():
        yield Subject(name, member.weight, member.draining, is_set=True)
    for name, joined in document.joined.items():
        if name not in configured:
            yield Subject(name, joined.weight, is_draining=False, is_set=False)
