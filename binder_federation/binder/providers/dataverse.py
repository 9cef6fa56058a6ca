"""Provider `dataverse`: datasets of Dataverse installations, by their DOI.

The DOI does not say which installation it is of, so doi.org is asked, and only the
settings' installations are. A DOI of one file stands for its dataset. The resolved ref is
`<number of the dataset>.v<major>.<minor>`; published versions never change.
https://guides.dataverse.org/en/latest/api/native-api.html
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from binder_federation.binder.errors import RefNotFound, RepositoryNotFound
from binder_federation.binder.providers.base import FileSource, RemoteFile, Resolution, Resolved
from binder_federation.binder.providers.data_parts import make_api, make_doi_lookup
from binder_federation.binder.providers.dois import DoiLookup, format_doi, is_doi, parse_doi
from binder_federation.binder.providers.json_api import Answer, JsonApi, as_resolution
from binder_federation.binder.providers.parts import ProviderParts
from binder_federation.binder.spec import LaunchSpec

_EXAMPLE = "10.7910/DVN/TJCLKP"
_VERSION = re.compile(r"(?P<dataset>\d{1,18})\.v(?P<version>\d{1,9}\.\d{1,9})")


class _Version(Answer):
    versionNumber: int  # noqa: N815 - the API's
    versionMinorNumber: int  # noqa: N815


class _Dataset(Answer):
    id: int
    authority: str
    identifier: str
    latestVersion: _Version  # noqa: N815


class _DatasetAnswer(Answer):
    data: _Dataset


class _OfDataset(Answer):
    datasetPersistentId: str  # noqa: N815


class _FileOfDataset(Answer):
    datasetVersion: _OfDataset  # noqa: N815


class _FileAnswer(Answer):
    data: _FileOfDataset


class _Checksum(Answer):
    type: str
    value: str


class _DataFile(Answer):
    id: int
    filesize: int | None = None
    originalFileName: str | None = None  # noqa: N815
    checksum: _Checksum | None = None


class _File(Answer):
    label: str
    directoryLabel: str = ""  # noqa: N815
    restricted: bool = False
    dataFile: _DataFile  # noqa: N815


class _FilesAnswer(Answer):
    data: list[_File]


class DataverseProvider:
    """Datasets by their DOI. There is no ref to choose: it is the latest published version."""

    id = "dataverse"

    def __init__(self, *, installations: Sequence[str], api: JsonApi, dois: DoiLookup) -> None:
        self._installations = {
            urlsplit(url).netloc.lower(): url.rstrip("/") for url in installations
        }
        self._api = api
        self._dois = dois

    @property
    def display(self) -> Mapping[str, Any]:
        """For the home page's form."""
        return {
            "displayName": "Dataverse DOI",
            "id": self.id,
            "spec": {"validateRegex": r"10\.\d+\/(.)+"},
            "detect": {"regex": r"^(?:https?://(?:dx\.)?doi\.org/|doi:)?(?<repo>10\.7910/DVN/.+)$"},
            "repo": {"label": "Dataverse DOI", "placeholder": f"example: {_EXAMPLE}"},
            "ref": {"enabled": False},
        }

    def parse(self, raw_spec: str) -> LaunchSpec:
        """A DOI. Its case is kept: an installation may know only that."""
        return LaunchSpec(self.id, parse_doi(raw_spec, example=_EXAMPLE), "HEAD")

    def check(self, spec: LaunchSpec) -> None:
        """Nothing: the operator's settings say which installations are asked."""

    def format(self, spec: LaunchSpec) -> str:
        """The inverse of `parse`."""
        return format_doi(spec.repository)

    def repository_url(self, spec: LaunchSpec) -> str:
        """Where the DOI leads."""
        return self._dois.page(spec.repository)

    def ref_url(self, spec: LaunchSpec, resolved_ref: str) -> str:  # noqa: ARG002 - the protocol's
        """The same: versions of a dataset share its DOI."""
        return self._dois.page(spec.repository)

    async def resolve(
        self,
        spec: LaunchSpec,
        known: Resolved | None,  # noqa: ARG002 - the protocol's
    ) -> Resolution:
        """The latest published version."""
        return await as_resolution(self._resolve(spec.repository), is_one_site=False)

    async def _resolve(self, doi: str) -> Resolved:
        site = await self._find_site(doi)
        try:
            dataset = await self._fetch_dataset(site, f"doi:{doi}")
        except RepositoryNotFound:
            dataset = await self._fetch_dataset(site, await self._fetch_dataset_of(site, doi))
        latest = dataset.latestVersion
        own = f"{dataset.authority}/{dataset.identifier}"
        return Resolved(
            f"{dataset.id}.v{latest.versionNumber}.{latest.versionMinorNumber}",
            repository=own if is_doi(own) else "",
        )

    async def _fetch_dataset(self, site: str, persistent_id: str) -> _Dataset:
        answer = await self._api.fetch(
            f"{site}/api/datasets/:persistentId/",
            _DatasetAnswer,
            parameters={"persistentId": persistent_id},
            missing=f"There is no published dataset {persistent_id}.",
        )
        return answer.data

    async def _fetch_dataset_of(self, site: str, doi: str) -> str:
        """The dataset that the file with this DOI belongs to."""
        answer = await self._api.fetch(
            f"{site}/api/files/:persistentId/",
            _FileAnswer,
            parameters={"persistentId": f"doi:{doi}", "returnDatasetVersion": "true"},
            missing=f"There is no published dataset {doi}.",
        )
        return answer.data.datasetVersion.datasetPersistentId

    async def source(self, spec: LaunchSpec, resolved_ref: str = "") -> FileSource:
        """The version's files as they were uploaded; those that are not public are left out."""
        version = _VERSION.fullmatch(resolved_ref)
        if version is None:
            raise RefNotFound(f"The dataset has no version {resolved_ref}.")
        site = await self._find_site(spec.repository)
        listing = await self._api.fetch(
            f"{site}/api/datasets/{version['dataset']}/versions/{version['version']}/files",
            _FilesAnswer,
            missing=f"The dataset {spec.repository} is gone.",
        )
        return FileSource(
            url=self.repository_url(spec),
            files=tuple(_remote_file(site, it) for it in listing.data if not it.restricted),
            origins=tuple(self._installations.values()),
            notes=tuple(
                f"Leaving out {it.label}: it is not public." for it in listing.data if it.restricted
            ),
        )

    async def _find_site(self, doi: str) -> str:
        host = urlsplit(await self._dois.fetch_target(doi)).netloc.lower()
        if host not in self._installations:
            raise RepositoryNotFound(
                f"{doi} is not the DOI of a dataset at a Dataverse that is known here.",
                advice="The operator of this service can add the installation.",
            )
        return self._installations[host]


def _remote_file(site: str, file: _File) -> RemoteFile:
    """What was uploaded: of a table, Dataverse keeps a form of its own, with another name."""
    data = file.dataFile
    name = data.originalFileName or file.label
    is_same = data.originalFileName is None
    return RemoteFile(
        path=f"{file.directoryLabel}/{name}" if file.directoryLabel else name,
        url=f"{site}/api/access/datafile/{data.id}?format=original",
        size_bytes=data.filesize if is_same else None,
        checksum=_checksum(data.checksum) if is_same else "",
    )


def _checksum(given: _Checksum | None) -> str:
    """`sha1:…` for what Dataverse calls SHA-1."""
    return f"{given.type.lower().replace('-', '')}:{given.value}" if given else ""


def make_dataverse(parts: ProviderParts) -> DataverseProvider:
    """The provider, as the settings want it."""
    installations = parts.settings.dataverse.installations
    return DataverseProvider(
        installations=installations,
        api=make_api(parts, DataverseProvider.id, "The Dataverse installation", installations),
        dois=make_doi_lookup(parts),
    )
