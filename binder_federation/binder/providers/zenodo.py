"""Provider `zenodo`: records of Zenodo, and of other sites that run InvenioRDM, by their DOI.

A DOI of all versions (a concept DOI) stands for the latest one, and is replaced by that
one's DOI, so that both share an image. A record's files never change: its id is the
resolved ref. https://developers.zenodo.org/#records, https://inveniordm.docs.cern.ch/reference/rest_api_drafts_records/
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from binder_federation.binder.errors import ProviderUnavailable, RepositoryNotFound
from binder_federation.binder.providers.base import FileSource, RemoteFile, Resolution, Resolved
from binder_federation.binder.providers.data_parts import make_api, make_doi_lookup
from binder_federation.binder.providers.dois import DoiLookup, format_doi, parse_doi, prefix_of
from binder_federation.binder.providers.json_api import Answer, JsonApi, as_resolution
from binder_federation.binder.providers.parts import ProviderParts
from binder_federation.binder.spec import LaunchSpec

_EXAMPLE = "10.5281/zenodo.3242074"
_OWN = re.compile(r"10\.[\d.]+/zenodo\.(?P<id>\d{1,18})", re.IGNORECASE)
_PAGE = re.compile(r"/records?/(?P<id>[A-Za-z0-9-]{1,64})/?")
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


class _Record(Answer):
    id: int | str


class _FileLinks(Answer):
    content: str


class _File(Answer):
    key: str
    size: int | None = None
    checksum: str | None = None
    links: _FileLinks


class _Files(Answer):
    entries: list[_File]


class ZenodoProvider:
    """Records by their DOI. There is no ref to choose: a DOI is one version, or the latest."""

    id = "zenodo"

    def __init__(self, *, sites: Mapping[str, str], api: JsonApi, dois: DoiLookup) -> None:
        self._sites = {prefix: url.rstrip("/") for prefix, url in sites.items()}
        self._api = api
        self._dois = dois

    @property
    def display(self) -> Mapping[str, Any]:
        """For the home page's form."""
        return {
            "displayName": "Zenodo DOI",
            "id": self.id,
            "spec": {"validateRegex": r"10\.\d+\/(.)+"},
            "detect": {
                "regex": r"^(?:https?://(?:dx\.)?doi\.org/|doi:)?(?<repo>10\.\d+/zenodo\.\d+)/?$"
            },
            "repo": {"label": "Zenodo DOI", "placeholder": f"example: {_EXAMPLE}"},
            "ref": {"enabled": False},
        }

    def parse(self, raw_spec: str) -> LaunchSpec:
        """A DOI."""
        doi = parse_doi(raw_spec, example=_EXAMPLE)
        return LaunchSpec(self.id, doi.lower(), "HEAD")

    def check(self, spec: LaunchSpec) -> None:
        """Nothing: the operator's settings say which sites are asked."""

    def format(self, spec: LaunchSpec) -> str:
        """The inverse of `parse`."""
        return format_doi(spec.repository)

    def repository_url(self, spec: LaunchSpec) -> str:
        """Where the DOI leads."""
        return self._dois.page(spec.repository)

    def ref_url(self, spec: LaunchSpec, resolved_ref: str) -> str:
        """Where the version's own DOI leads."""
        return self._dois.page(_version(spec.repository, resolved_ref))

    async def resolve(
        self,
        spec: LaunchSpec,
        known: Resolved | None,  # noqa: ARG002 - the protocol's
    ) -> Resolution:
        """The record that the DOI stands for now."""
        return await as_resolution(self._resolve(spec.repository))

    async def _resolve(self, doi: str) -> Resolved:
        site, record_id = await self._find(doi)
        record = await self._api.fetch(
            f"{site}/api/records/{record_id}", _Record, missing=f"There is no record {doi}."
        )
        if not _ID.fullmatch(str(record.id)):
            raise ProviderUnavailable("The record has an id that cannot be understood.")
        return Resolved(str(record.id), repository=_version(doi, str(record.id)))

    async def source(self, spec: LaunchSpec, resolved_ref: str = "") -> FileSource:
        """The record's files; a single archive stands for what is in it."""
        site, _ = await self._find(spec.repository)
        listing = await self._api.fetch(
            f"{site}/api/records/{quote(resolved_ref, safe='')}/files",
            _Files,
            missing=f"The record {spec.repository} is gone, or its files are not public.",
        )
        files = tuple(
            RemoteFile(it.key, it.links.content, it.size, it.checksum or "")
            for it in listing.entries
        )
        return FileSource(
            url=self.ref_url(spec, resolved_ref),
            files=files,
            origins=tuple(self._sites.values()),
            unpack=True,
        )

    async def _find(self, doi: str) -> tuple[str, str]:
        """The site and the record's id; doi.org is asked only where the DOI does not tell."""
        own = _OWN.fullmatch(doi)
        if own and (site := self._sites.get(prefix_of(doi))):
            return site, own["id"]
        target = urlsplit(await self._dois.fetch_target(doi))
        page = _PAGE.fullmatch(target.path)
        site = next((it for it in self._sites.values() if urlsplit(it).netloc == target.netloc), "")
        if not page or not site:
            raise RepositoryNotFound(f"{doi} is not the DOI of a Zenodo record.")
        return site, page["id"]


def _version(doi: str, record_id: str) -> str:
    """The DOI of one record, where DOIs are made from their records' ids."""
    return f"{prefix_of(doi)}/zenodo.{record_id}" if _OWN.fullmatch(doi) else doi


def make_zenodo(parts: ProviderParts) -> ZenodoProvider:
    """The provider, as the settings want it."""
    sites = parts.settings.zenodo.sites
    api = make_api(parts, ZenodoProvider.id, "Zenodo", sites.values())
    return ZenodoProvider(sites=sites, api=api, dois=make_doi_lookup(parts))
