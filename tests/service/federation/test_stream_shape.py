"""The stream between its events, as clients of BinderHub's know it: keepalives, and its end."""

import asyncio
import re

from binder_federation.binder.events import Phase, StreamParser
from binder_federation.config.federation import LaunchSettings
from tests.support.fake_member import FakeMember
from tests.support.federation_server import FederationServer, running_federation

PATH = f"gh/owner/repository/{'1' * 40}"
QUICK = {"keepalive_seconds": 0.05, "hold_seconds": 60}
DEADLINE_SECONDS = 20


class Watched:
    """What has come of a stream so far."""

    def __init__(self) -> None:
        self.text = ""
        self.ids: list[str] = []
        self._parser = StreamParser()

    def take(self, chunk: bytes) -> None:
        self.text += chunk.decode()
        self.ids += [message.event_id for message in self._parser.feed(chunk)]

    @property
    def phases(self) -> list[str]:
        return re.findall(r'"phase": "([a-z]+)"', self.text)

    def keepalives_after(self, phase: str) -> int:
        return self.text.rpartition(f'"phase": "{phase}"')[2].count(":keepalive\n\n")


async def watch_until_alive(federation: FederationServer, phase: str, *, times: int) -> Watched:
    """The stream until `times` keepalives have followed an event of `phase`."""
    seen = Watched()
    async with (
        asyncio.timeout(DEADLINE_SECONDS),
        federation.client.stream("GET", f"/build/{PATH}") as answer,
    ):
        async for chunk in answer.aiter_bytes():
            seen.take(chunk)
            if phase in seen.phases and seen.keepalives_after(phase) >= times:
                break
    return seen


async def test_keepalives_come_while_a_member_says_nothing(alpha: FakeMember) -> None:
    alpha.hold(Phase.BUILT)
    async with running_federation([alpha], launch=QUICK) as federation:
        seen = await watch_until_alive(federation, "building", times=3)
        alpha.go_on()

    assert seen.phases[-1] == "building"


async def test_after_its_last_event_it_is_left_to_the_client_to_close(alpha: FakeMember) -> None:
    """An EventSource whose server closes connects again, and would launch again."""
    async with running_federation([alpha], launch=QUICK) as federation:
        seen = await watch_until_alive(federation, "ready", times=3)

    assert seen.phases[-1] == "ready"
    assert LaunchSettings().hold_seconds == 60, "as long as BinderHub does"
    assert LaunchSettings().keepalive_seconds <= 25, "as often as BinderHub does"


async def test_every_event_has_an_id_and_no_two_have_the_same(federation: FederationServer) -> None:
    seen = await federation.launch(PATH)

    assert len(seen.ids) == len(seen.events) == len(set(seen.ids))
    assert len({each.partition(":")[0] for each in seen.ids}) == 1, "they name one launch"
