"""Programs that name themselves as crawlers start no launches.

A crawler follows every link, and a link to `/build` costs a build and a server: on mybinder.org a
third of the builds once came from programs that said who they were. Who they are is a list that the
field keeps (crawler-user-agents); the tools that scripts are written with are on it as well, and
launching by script is what this API is for, so those are let through. A crawler that does not say
so is a matter of rate limits.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import ClassVar

from crawleruseragents import CRAWLER_USER_AGENTS_DATA

from binder_federation.config.limits import BotSettings
from binder_federation.runtime.errors import Fault, ServiceError

MOST_CHARACTERS = 512
"""Of a user agent; the rest is not looked at."""
REMEMBERED = 4096
TOOLS = (
    "curl/8",
    "Wget/1",
    "HTTPie/3",
    "python-requests/2",
    "Python-urllib/3",
    "aiohttp/3",
    "python-httpx/0",
    "node-fetch/1",
    "HeadlessChrome/120",
)
"""What scripts and tests of pages call themselves: no pattern that fits one of them counts."""


class BotRefused(ServiceError):
    """The user agent is a crawler's."""

    code: ClassVar[str] = "bot_refused"
    status: ClassVar[int] = 403
    fault: ClassVar[Fault] = Fault.REQUEST


class Bots:
    """Knows them by their user agents."""

    def __init__(self, settings: BotSettings) -> None:
        self._is_on = settings.refuse
        self._patterns = _compile(_known(), settings) if settings.refuse else []
        self._is_bot = lru_cache(REMEMBERED)(self._find)

    def check(self, user_agent: str) -> None:
        """Raises `BotRefused` for a crawler's."""
        if self._is_on and self._is_bot(user_agent[:MOST_CHARACTERS]):
            raise BotRefused(
                "Programs that follow links by themselves start no sessions here.",
                advice="Pages and /status may be read; robots.txt names the rest. A person who "
                "sees this, or whoever needs launches by program: tell the operators of this "
                "service.",
            )

    def _find(self, user_agent: str) -> bool:
        return any(pattern.search(user_agent) for pattern in self._patterns)


def _known() -> Iterable[str]:
    for entry in CRAWLER_USER_AGENTS_DATA:
        pattern = entry["pattern"]
        if not any(re.search(pattern, tool) for tool in TOOLS):
            yield pattern


def _compile(known: Iterable[str], settings: BotSettings) -> list[re.Pattern[str]]:
    """A few patterns in place of more than a thousand: it is asked for every launch."""
    let_through = [re.compile(each) for each in settings.let_through]
    wanted = [each for each in known if not any(p.search(each) for p in let_through)]
    wanted += settings.also
    return [re.compile("|".join(f"(?:{each})" for each in wanted))] if wanted else []
