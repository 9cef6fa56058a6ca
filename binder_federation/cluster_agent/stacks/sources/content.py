"""Has a folder hold a repository's content, wherever that comes from.

The same for builds in the agent (local stack) and in a build's process (repo2docker): git
is checked out (`checkout.py`), everything else is downloaded (`downloads.py`).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import assert_never

import httpx

from binder_federation.binder.providers import make_git_access
from binder_federation.binder.providers.base import FileSource, GitSource, Source
from binder_federation.binder.providers.web_access import make_web_access
from binder_federation.cluster_agent.stacks.sources.checkout import Checkout
from binder_federation.cluster_agent.stacks.sources.downloads import Download
from binder_federation.config.providers import ProviderSettings


class ContentFetcher:
    """Fetches under the rules of the settings, through one client."""

    def __init__(self, *, settings: ProviderSettings, client: httpx.AsyncClient) -> None:
        self._settings = settings
        self._find_source = make_git_access(settings, client).source_for_url
        self._access = make_web_access(settings, client)

    async def fetch(
        self,
        source: Source,
        resolved_ref: str,
        target: Path,
        *,
        on_line: Callable[[str], None],
        marks: Mapping[str, str],
    ) -> None:
        """Have `target` (new) hold `source` at `resolved_ref`; processes carry `marks`.

        Raises the errors of `Checkout.make` or `Download.make`.
        """
        match source:
            case GitSource():
                checkout = Checkout(self._find_source, on_line, dict(marks))
                await checkout.make(source, resolved_ref, target)
            case FileSource():
                download = Download(self._access, self._settings.downloads, on_line)
                await download.make(source, target)
            case _:
                assert_never(source)
