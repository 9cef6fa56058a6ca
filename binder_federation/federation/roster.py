"""Who the members are: name, address, weight, and the credential that proves it.

Members come from the settings; joining by invitation will add a second source. One of
kind `binderhub` has no credential: it is known by its address alone
(docs/binderhub-members.md).
"""

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from binder_federation.binder.errors import NotAuthorized
from binder_federation.config.federation import MemberKind, MemberSettings


@dataclass(frozen=True, slots=True)
class Member:
    """One Binder cluster in the federation."""

    name: str
    url: str
    weight: float
    is_draining: bool
    credential: str = field(repr=False)
    """Empty for a BinderHub."""
    old_credentials: tuple[str, ...] = field(default=(), repr=False)
    """Taken from the member as well; we sign with the present one alone."""
    public_url: str = ""
    """Where visitors' browsers reach it, in redirect mode."""
    kind: MemberKind = MemberKind.AGENT
    pod_headroom: int = 0
    takes_build_only: bool = True
    uses_page_tokens: bool = True
    """Of a BinderHub: whether its launch page may be asked for a build token."""

    @property
    def is_binderhub(self) -> bool:
        """Whether it is an unmodified BinderHub: no reports, no tokens, nothing to resume."""
        return self.kind is MemberKind.BINDERHUB


class Roster:
    """The members by name, in the order of the settings."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._members = {member.name: member for member in members}

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def __len__(self) -> int:
        return len(self._members)

    def get(self, name: str) -> Member | None:
        """The member of that name."""
        return self._members.get(name)

    def unable_to_prepare(self) -> frozenset[str]:
        """The members that cannot be asked for an image alone."""
        return frozenset(member.name for member in self if not member.takes_build_only)

    def authenticate(self, name: str, credential: str) -> Member:
        """The member `name`, if `credential` is its own; else `NotAuthorized`.

        An unknown name and a wrong credential get the same answer in the same time.
        """
        member = self._members.get(name)
        expected = (member.credential if member else "") or "no member has this credential"
        matches = hmac.compare_digest(expected.encode(), credential.encode())
        for old in member.old_credentials if member else ():
            matches |= hmac.compare_digest(old.encode(), credential.encode())
        if member is None or not member.credential or not matches:
            raise NotAuthorized(
                "The credential is not this member's.",
                advice="Check the agent's name and credential against the federation's settings.",
            )
        return member


def make_roster(members: Iterable[MemberSettings]) -> Roster:
    """The roster that the settings describe."""
    return Roster(
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
