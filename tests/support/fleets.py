"""Fleets for tests that must hold for agents and for BinderHubs.

`agents` are two agents. `binderhubs` are one agent and two imitations of BinderHub, and a
BinderHub is the member whose failures are tried; in `agent_among_binderhubs` it is the agent.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count

from binder_federation.binder.events import Phase
from binder_federation.binder.spec import affinity_key
from binder_federation.federation.core.rendezvous import find_usual_place
from binder_federation.federation.core.snapshot import MemberView
from binder_federation.health.state import MemberState
from tests.support.fake_binderhub import FakeBinderHub
from tests.support.fake_member import FakeMember
from tests.support.federation_server import AnyMember

REF = "1" * 40

FLEETS = ("agents", "binderhubs")
"""Those that every test of failover, resuming and health runs with."""


@dataclass(frozen=True)
class Fleet:
    """The members of a test; `usual` is where `launch_path` leads, `others` are the rest."""

    members: tuple[AnyMember, ...]
    usual: AnyMember

    @property
    def others(self) -> tuple[AnyMember, ...]:
        return tuple(member for member in self.members if member is not self.usual)

    @property
    def names(self) -> list[str]:
        return [member.name for member in self.members]

    @property
    def is_resumable(self) -> bool:
        """Whether the usual member knows a launch again. A BinderHub does not."""
        return isinstance(self.usual, FakeMember)

    def launch_path(self, word: str = "repository", *, ref: str = REF) -> str:
        """A repository whose usual place is the usual member."""
        views = tuple(MemberView(name, MemberState.UP) for name in self.names)
        for number in count():
            repository = f"owner/{word}{number}"
            place = find_usual_place(views, affinity_key("gh", repository))
            if place is not None and place.name == self.usual.name:
                return f"gh/{repository}/{ref}"
        raise AssertionError("count() does not end")

    def asked(self, path: str | None = None) -> int:
        """How often the members were asked for launches, or for those of `path`."""
        asked = [each for member in self.members for each in member.paths]
        return len(asked) if path is None else asked.count(path)

    def built(self, path: str) -> int:
        return sum(member.builds[path] for member in self.members)

    def started(self, path: str) -> int:
        return sum(member.servers[path] for member in self.members)

    @property
    def attached(self) -> int:
        """Streams of launches that were under way already."""
        return sum(member.attached for member in self.members)

    def hold(self, phase: Phase) -> None:
        for member in self.members:
            member.hold(phase)

    def go_on(self) -> None:
        for member in self.members:
            member.go_on()


def make_fleet(kind: str) -> Fleet:
    """The fleet of that name; its members are not started."""
    alpha = FakeMember("alpha")
    if kind == "agents":
        return Fleet((alpha, FakeMember("beta")), usual=alpha)
    beta, gamma = FakeBinderHub("beta"), FakeBinderHub("gamma")
    usual = beta if kind == "binderhubs" else alpha
    return Fleet((alpha, beta, gamma), usual)


@asynccontextmanager
async def running_fleet(kind: str) -> AsyncIterator[Fleet]:
    """The fleet of that name, serving."""
    fleet = make_fleet(kind)
    async with AsyncExitStack() as stack:
        for member in fleet.members:
            await member.start()
            stack.push_async_callback(member.stop)
        yield fleet
