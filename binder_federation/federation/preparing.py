"""Has one member prepare an image, through its own `/build?build_only=true`.

A member that has the image in its registry pulls it, another builds it; an agent makes each
image once however many ask. Copies of hot images (`copies.py`) and pre-builds (`prebuilds/`)
come through here.
"""

from collections.abc import Callable
from contextlib import aclosing

from yarl import URL

from binder_federation.binder.events import Event, Phase
from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.federation.binderhub.failures import read_failure
from binder_federation.federation.launch_request import LaunchRequest
from binder_federation.federation.lessons import Lessons
from binder_federation.federation.member_stream import MemberStreams
from binder_federation.federation.placing import Placing


class Preparing:
    """Asks members for images, and learns from what they tell."""

    def __init__(
        self,
        *,
        placing: Placing,
        streams: MemberStreams,
        lessons: Lessons,
        clock: Callable[[], float],
    ) -> None:
        self._placing = placing
        self._streams = streams
        self._lessons = lessons
        self._clock = clock

    async def prepare(
        self,
        resolved: ResolvedSpec,
        name: str,
        *,
        on_event: Callable[[Event], None] = lambda _event: None,
    ) -> Event:
        """The member's final event: `ready` when it has the image. `on_event` hears each one.

        Raises `ServiceError` when its stream breaks, or it refuses.
        """
        path = self._placing.path(resolved)
        member = self._placing.member(name)
        request = LaunchRequest(
            spec=resolved.spec,
            raw_spec=path.partition("/")[2],
            is_build_only=True,
        )
        token = self._placing.sign(request, resolved, path, member)
        url = URL(f"{member.url}/build/{path}?build_only=true", encoded=True)
        phase = Phase.WAITING
        async with aclosing(self._streams.events(name, url, build_token=token)) as events:
            async for event in events:
                await self._lessons.saw(resolved, name, event, now=self._clock())
                if event.phase is Phase.FAILED and member.is_binderhub:
                    event = read_failure(name, event, phase_before=phase)
                phase = event.phase
                on_event(event)
                if event.phase.is_final:
                    return event
        raise AssertionError("a member's stream ends with a final event or an error")
