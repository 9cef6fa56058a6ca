"""What the providers of data repositories are made from: their APIs, and doi.org."""

from collections.abc import Collection

from binder_federation.binder.providers.dois import DoiLookup
from binder_federation.binder.providers.json_api import JsonApi
from binder_federation.binder.providers.parts import ProviderParts
from binder_federation.binder.providers.web_access import make_web_access


def make_api(
    parts: ProviderParts, provider: str, name: str, origins: Collection[str] = ()
) -> JsonApi:
    """An API; `origins` are those of the operator's settings."""
    return JsonApi(
        id=provider,
        name=name,
        access=make_web_access(parts.settings, parts.client),
        origins=origins,
        timeout_seconds=parts.settings.timeout_seconds,
        metrics=parts.metrics,
        clock=parts.clock,
    )


def make_doi_lookup(parts: ProviderParts) -> DoiLookup:
    """Where DOIs lead, asked at the operator's resolver."""
    url = parts.settings.doi_url
    return DoiLookup(url=url, api=make_api(parts, "doi", "doi.org", [url]))
