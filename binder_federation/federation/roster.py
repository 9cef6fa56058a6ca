"""Who the members are: name, address, weight, and the credential that proves it.

Members come from the settings; joining by invitation will add a second source.
"""

import hmac
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from binder_federation.binder.errors import NotAuthorized
from binder_federation.config.federation import MemberSettings


@dataclass(frozen=True, slots=True)
class Member:
    """One Binder cluster in the federation."""

    name: str
    url: str
    weight: float
    is_draining: bool
    credential: str = field(repr=False)
    public_url: str = ""
    """Where visitors' browsers reach it, in redirect mode."""


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

    def authenticate(self, name: str, credential: str) -> Member:
        """The member `name`, if `credential` is its own; else `NotAuthorized`.

        An unknown name and a wrong credential get the same answer in the same time.
        """
        member = self._members.get(name)
        expected = member.credential if member else "no member has this credential"
        matches = hmac.compare_digest(expected.encode(), credential.encode())
        if member is None or not matches:
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
            credential=member.credential.get_secret_value(),
            public_url=member.public_url or member.url,
        )
        for member in members
    )
