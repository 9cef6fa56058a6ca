"""A BinderHub's `/build`, asked as often as its rate limit and its tokens make it necessary.

Without a token first. Once it limits us, with the token of its own page (`page_tokens.py`);
a token that it refuses is forgotten, and it is asked once without. Such refusals are always
a stream's first event, so nothing was begun and nothing told when it is asked again.

Images alone (`preparing.py`) are not asked for through here: a BinderHub that makes them
runs in API-only mode, and then has no pages.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from yarl import URL

from binder_federation.binder.events import Event, Phase
from binder_federation.federation.binderhub.page_tokens import PageTokens
from binder_federation.federation.member_stream import NO_HEADERS, MemberEvent, MemberStreams
from binder_federation.federation.roster import Member

_TOKEN_REFUSED = "Invalid build token"  # noqa: S105 - binderhub/base.py, check_build_token


class BinderHubStreams:
    """Opens the streams of BinderHubs."""

    def __init__(self, *, streams: MemberStreams, tokens: PageTokens) -> None:
        self._streams = streams
        self._tokens = tokens

    async def numbered(
        self, member: Member, path: str, url: URL, *, headers: Mapping[str, str] = NO_HEADERS
    ) -> AsyncGenerator[MemberEvent, None]:
        """As `MemberStreams.numbered`; `path` is the `<provider>/<spec>` of `url`."""
        token = await self._tokens.token(member, path)
        may_use_token = True
        while True:
            address = url.update_query(build_token=token) if token else url
            stream = self._streams.numbered(member.name, address, build_token="", headers=headers)
            async with aclosing(stream) as events:
                first = await anext(events)
                again = await self._again_with(member, path, first.event, token, may_use_token)
                if again is None:
                    yield first
                    async for each in events:
                        yield each
                    return
            may_use_token = may_use_token and not token
            token = again

    async def _again_with(
        self, member: Member, path: str, event: Event, token: str, may_use_token: bool
    ) -> str | None:
        """The token with which to ask again, "" is without one; None to leave it at that."""
        if event.phase is not Phase.FAILED:
            return None
        status = event.fields.get("status_code")
        if status == 429 and not token:
            self._tokens.note_limit(member)
            found = await self._tokens.token(member, path) if may_use_token else ""
            return found or None
        if status == 403 and token and _TOKEN_REFUSED in event.message:
            self._tokens.forget(member, path)
            return ""
        return None
