"""The parts of previews, put together and closed in order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from binder_federation import __version__
from binder_federation.federation.context import FederationContext
from binder_federation.federation.previews.fetching import Files
from binder_federation.federation.previews.previews import Previews
from binder_federation.federation.previews.renderers import Renderers
from binder_federation.federation.previews.sources import FileSources
from binder_federation.runtime.tls import known_authorities


@asynccontextmanager
async def open_previews(context: FederationContext) -> AsyncIterator[Previews]:
    """Previews for the federation of `context`, over connections of their own: a slow file
    must not hold up a launch."""
    settings = context.settings
    headers = {"User-Agent": f"binder-federation/{__version__}"}
    async with httpx.AsyncClient(
        headers=headers, timeout=5.0, verify=known_authorities()
    ) as client:
        previews = Previews(
            refs=context.shared.refs,
            sources=FileSources(settings.providers, raw_url=settings.pages.preview_raw_url),
            files=Files(client=client),
            renderers=Renderers(),
            tasks=context.tasks,
            clock=context.clock,
        )
        try:
            yield previews
        finally:
            await previews.aclose()
