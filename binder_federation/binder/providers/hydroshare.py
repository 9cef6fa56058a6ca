"""Provider `hydroshare`: resources of HydroShare, by their id (32 hex digits).

A resource keeps no history: its version is the time of its last change, `<id>.v<seconds
since 1970>`. Content that changed since it was resolved is not taken for it.
https://www.hydroshare.org/hsapi/
"""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from binder_federation.binder.errors import InvalidSpec, ProviderUnavailable
from binder_federation.binder.providers.base import FileSource, RemoteFile, Resolution, Resolved
from binder_federation.binder.providers.data_parts import make_api
from binder_federation.binder.providers.json_api import Answer, JsonApi, as_resolution
from binder_federation.binder.providers.parts import ProviderParts
from binder_federation.binder.providers.text import decode_once, shown
from binder_federation.binder.spec import LaunchSpec

_RESOURCE = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
_CONTENTS = "/data/contents/"
_MOST_PAGES = 50


class _Date(Answer):
    type: str
    start_date: datetime


class _Elements(Answer):
    dates: list[_Date]


class _File(Answer):
    url: str
    size: int | None = None


class _Files(Answer):
    results: list[_File]
    next: str | None = None


class HydroShareProvider:
    """Resources by id, or by whatever holds it: a URL, a DOI."""

    id = "hydroshare"

    def __init__(self, *, url: str, api: JsonApi) -> None:
        self._url = url.rstrip("/")
        self._api = api

    @property
    def display(self) -> Mapping[str, Any]:
        """For the home page's form."""
        host = re.escape(urlsplit(self._url).netloc.removeprefix("www."))
        return {
            "displayName": "Hydroshare resource",
            "id": self.id,
            "spec": {"validateRegex": r".*[0-9a-f]{32}.*"},
            "detect": {"regex": rf"^https?://(?:www\.)?{host}/resource/(?<repo>[0-9a-f]{{32}})/?$"},
            "repo": {
                "label": "Hydroshare resource id or URL",
                "placeholder": "example: 8f7c2f0341ef4180b0dbe97f59130756",
            },
            "ref": {"enabled": False},
        }

    def parse(self, raw_spec: str) -> LaunchSpec:
        """An id somewhere in the text."""
        text = decode_once(raw_spec)
        found = _RESOURCE.findall(text.lower())
        if not found:
            raise InvalidSpec(
                f"“{shown(text)}” names no HydroShare resource.",
                advice="A resource has an id of 32 digits and letters a to f.",
            )
        return LaunchSpec(self.id, found[-1], "HEAD")

    def check(self, spec: LaunchSpec) -> None:
        """Nothing: the operator's settings say which site is asked."""

    def format(self, spec: LaunchSpec) -> str:
        """The inverse of `parse`."""
        return spec.repository

    def repository_url(self, spec: LaunchSpec) -> str:
        """Its page."""
        return f"{self._url}/resource/{spec.repository}"

    def ref_url(self, spec: LaunchSpec, resolved_ref: str) -> str:  # noqa: ARG002 - the protocol's
        """The same: there is no history."""
        return self.repository_url(spec)

    async def resolve(
        self,
        spec: LaunchSpec,
        known: Resolved | None,  # noqa: ARG002 - the protocol's
    ) -> Resolution:
        """When it was last changed."""
        return await as_resolution(self._resolve(spec))

    async def _resolve(self, spec: LaunchSpec) -> Resolved:
        elements = await self._api.fetch(
            f"{self._api_url(spec)}/scimeta/elements", _Elements, missing=_missing(spec)
        )
        times = [it.start_date for it in elements.dates if it.type == "modified"]
        if not times:
            raise ProviderUnavailable("HydroShare does not tell when the resource was changed.")
        changed = times[0] if times[0].tzinfo else times[0].replace(tzinfo=UTC)
        return Resolved(f"{spec.repository}.v{int(changed.timestamp())}")

    async def source(self, spec: LaunchSpec, resolved_ref: str = "") -> FileSource:
        """The resource's files, if it is still what it was resolved to."""
        if (await self._resolve(spec)).resolved_ref != resolved_ref:
            raise changed_meanwhile()
        files = [_remote_file(it, self._url) async for it in self._files(spec)]
        return FileSource(url=self.repository_url(spec), files=tuple(files), origins=(self._url,))

    async def _files(self, spec: LaunchSpec) -> AsyncIterator[_File]:
        for page in range(1, _MOST_PAGES + 1):
            listing = await self._api.fetch(
                f"{self._api_url(spec)}/files/",
                _Files,
                parameters={"page": str(page), "count": "100"},
                missing=_missing(spec),
            )
            for file in listing.results:
                yield file
            if not listing.next:
                return

    def _api_url(self, spec: LaunchSpec) -> str:
        return f"{self._url}/hsapi/resource/{spec.repository}"


def changed_meanwhile() -> ProviderUnavailable:
    """For content without a history that is not what it was when it was looked up."""
    return ProviderUnavailable(
        "What is there was changed while this launch began.",
        advice="Launch it again in a minute, to get what is there now.",
        retry_after_seconds=60.0,
    )


def _missing(spec: LaunchSpec) -> str:
    return f"There is no public HydroShare resource {spec.repository}."


def _remote_file(file: _File, site: str) -> RemoteFile:
    """The API writes addresses with http:// where the site has https://."""
    url = urlsplit(file.url)
    own = urlsplit(site)
    if url.netloc == own.netloc:
        url = url._replace(scheme=own.scheme)
    path = unquote(url.path)
    _, mark, below = path.partition(_CONTENTS)
    return RemoteFile(below if mark else path.rpartition("/")[2], url.geturl(), file.size)


def make_hydroshare(parts: ProviderParts) -> HydroShareProvider:
    """The provider, as the settings want it."""
    url = parts.settings.hydroshare.url
    api = make_api(parts, HydroShareProvider.id, "HydroShare", [url])
    return HydroShareProvider(url=url, api=api)
