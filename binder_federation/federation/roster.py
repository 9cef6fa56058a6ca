"""Who the members are: name, address, weight, and the credential that proves it.

They come from the settings and by invitation, and operators steer them live: the roster is
replaced whole whenever that changes (`steering/applying.py`), and whoever keeps something for
each member hears of it. A member of kind `binderhub` has no credential: it is known by its
address alone (docs/binderhub-members.md).
"""

import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from binder_federation.binder.errors import NotAuthorized
from binder_federation.config.federation import MemberKind, MemberSettings
from binder_federation.federation.core.member import Member as Member


class MemberRevoked(NotAuthorized):
    """It was a member, and is none any more."""

    code = "member_revoked"


@dataclass(frozen=True, slots=True)
class RosterChange:
    """What differs between two rosters."""

    added: tuple[Member, ...] = ()
    changed: tuple[Member, ...] = ()
    """As they are now."""
    removed: tuple[Member, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


RosterListener = Callable[[RosterChange], None]


class Roster:
    """The members by name: in the order of the settings, then as they joined."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._members = {member.name: member for member in members}
        self._revoked: dict[str, Member] = {}
        self._former: dict[str, Member] = {}
        self._listeners: list[RosterListener] = []

    def __iter__(self) -> Iterator[Member]:
        return iter(tuple(self._members.values()))

    def __len__(self) -> int:
        return len(self._members)

    def get(self, name: str) -> Member | None:
        """The member of that name."""
        return self._members.get(name)

    def find(self, name: str) -> Member | None:
        """The same, or who was a member under that name: launches that began there go on."""
        return self._members.get(name) or self._former.get(name)

    def get_revoked(self, name: str) -> Member | None:
        """Who was a member under that name, and is none any more."""
        return self._revoked.get(name)

    def on_change(self, listener: RosterListener) -> None:
        """Have `listener` told what differs, each time that something does."""
        self._listeners.append(listener)

    def replace(self, members: Iterable[Member], *, revoked: Iterable[Member] = ()) -> RosterChange:
        """These are the members from now on; what differs from before."""
        before = self._members
        self._members = {member.name: member for member in members}
        self._revoked = {member.name: member for member in revoked}
        change = RosterChange(
            added=tuple(member for member in self if member.name not in before),
            changed=tuple(member for member in self if before.get(member.name, member) != member),
            removed=tuple(member for name, member in before.items() if name not in self._members),
        )
        self._former.update({member.name: member for member in change.removed})
        if change:
            for listener in self._listeners:
                listener(change)
        return change

    def unable_to_prepare(self) -> frozenset[str]:
        """The members that cannot be asked for an image alone."""
        return frozenset(member.name for member in self if not member.takes_build_only)

    def authenticate(self, name: str, credential: str) -> Member:
        """The member `name`, if `credential` is its own; else `NotAuthorized`.

        An unknown name and a wrong credential get the same answer in the same time. A member
        that was revoked is told so (`MemberRevoked`) if it brings what was its credential.
        """
        member = self._members.get(name) or self._revoked.get(name)
        expected = (member.credential if member else "") or "no member has this credential"
        matches = hmac.compare_digest(expected.encode(), credential.encode())
        for old in member.old_credentials if member else ():
            matches |= hmac.compare_digest(old.encode(), credential.encode())
        if member is None or not member.credential or not matches:
            raise NotAuthorized(
                "The credential is not this member's.",
                advice="Check the agent's name and credential against the federation's settings.",
            )
        if name not in self._members:
            raise MemberRevoked(
                f"{name} is not a member of this federation any more.",
                advice="Ask the federation's operators for a new invitation.",
            )
        return member


def make_roster(members: Iterable[MemberSettings]) -> Roster:
    """The roster that the settings describe."""
    return Roster(make_members(members))


def make_members(members: Iterable[MemberSettings]) -> tuple[Member, ...]:
    """The members that the settings describe."""
    return tuple(
        Member(
            name=member.name,
            url=member.url,
            weight=member.weight,
            is_draining=member.draining,
            credential=member.credential.get_secret_value() if member.credential else "",
            old_credentials=tuple(each.get_secret_value() for each in member.old_credentials),
            public_url=member.public_url or member.url,
            kind=member.kind,
            pod_headroom=member.pod_headroom,
            takes_build_only=member.takes_build_only or member.kind is MemberKind.AGENT,
            uses_page_tokens=member.uses_page_tokens,
        )
        for member in members
    )
