"""Provider `figshare`: articles of Figshare, and of institutions' portals that it runs.

Every DOI ends with the article's number, and maybe with a version, `.v3`. So the version
is the ref: a spec without one stands for the latest, and a resolved one says itself what
it is. https://docs.figshare.com/#public_article
"""

import re
from collections.abc import Mapping
from typing import Any

from binder_federation.binder.errors import InvalidSpec
from binder_federation.binder.providers.base import FileSource, RemoteFile, Resolution, Resolved
from binder_federation.binder.providers.data_parts import make_api
from binder_federation.binder.providers.dois import format_doi, parse_doi
from binder_federation.binder.providers.json_api import Answer, JsonApi, as_resolution
from binder_federation.binder.providers.parts import ProviderParts
from binder_federation.binder.providers.text import shown
from binder_federation.binder.spec import LaunchSpec

_EXAMPLE = "10.6084/m9.figshare.9782777.v1"
_DOI = re.compile(
    r"(?P<article>.*[./](?P<number>\d{1,18}))(?:\.v(?P<version>[1-9]\d{0,5}))?", re.IGNORECASE
)
_VERSION = re.compile(r"\d{1,18}\.v(?P<version>[1-9]\d{0,5})")


class _File(Answer):
    name: str
    download_url: str
    size: int | None = None
    computed_md5: str | None = None
    is_link_only: bool = False


class _Article(Answer):
    version: int
    files: list[_File] = []  # noqa: RUF012 - pydantic copies it


class FigshareProvider:
    """Articles by their DOI."""

    id = "figshare"

    def __init__(self, *, api_url: str, doi_url: str, api: JsonApi) -> None:
        self._api_url = api_url.rstrip("/")
        self._doi_url = doi_url.rstrip("/")
        self._api = api

    @property
    def display(self) -> Mapping[str, Any]:
        """For the home page's form."""
        return {
            "displayName": "Figshare DOI",
            "id": self.id,
            "spec": {"validateRegex": r"10\.\d+\/(.)+"},
            "detect": {
                "regex": r"^(?:https?://(?:dx\.)?doi\.org/|doi:)?"
                r"(?<repo>10\.\d+/.*figshare\.\d+(?:\.v\d+)?)/?$"
            },
            "repo": {"label": "Figshare DOI", "placeholder": f"example: {_EXAMPLE}"},
            "ref": {"enabled": False},
        }

    def parse(self, raw_spec: str) -> LaunchSpec:
        """A DOI, with a version or without one."""
        doi = parse_doi(raw_spec, example=_EXAMPLE).lower()
        parts = _DOI.fullmatch(doi)
        if parts is None:
            raise InvalidSpec(
                f"“{shown(doi)}” is not the DOI of a Figshare article.",
                advice=f"It ends with a number, like {_EXAMPLE}.",
            )
        version = parts["version"]
        ref = f"{parts['number']}.v{version}" if version else "HEAD"
        return LaunchSpec(self.id, parts["article"], ref)

    def check(self, spec: LaunchSpec) -> None:
        """Nothing: the operator's settings say which API is asked."""

    def format(self, spec: LaunchSpec) -> str:
        """The inverse of `parse`."""
        return format_doi(_versioned(spec.repository, spec.ref))

    def repository_url(self, spec: LaunchSpec) -> str:
        """Where the DOI leads."""
        return f"{self._doi_url}/{self.format(spec)}"

    def ref_url(self, spec: LaunchSpec, resolved_ref: str) -> str:
        """Where the version's DOI leads."""
        return self.repository_url(spec.at(resolved_ref))

    async def resolve(
        self,
        spec: LaunchSpec,
        known: Resolved | None,  # noqa: ARG002 - the protocol's
    ) -> Resolution:
        """The latest version; one that the DOI names is not asked for."""
        if _VERSION.fullmatch(spec.ref):
            return Resolved(spec.ref)
        return await as_resolution(self._latest(spec))

    async def _latest(self, spec: LaunchSpec) -> Resolved:
        number = _number(spec.repository)
        article = await self._fetch(f"articles/{number}", spec)
        return Resolved(f"{number}.v{article.version}")

    async def source(self, spec: LaunchSpec, resolved_ref: str = "") -> FileSource:
        """The article's own files at that version; those that are only links are left out."""
        version = _VERSION.fullmatch(resolved_ref)
        tail = f"/versions/{version['version']}" if version else ""
        article = await self._fetch(f"articles/{_number(spec.repository)}{tail}", spec)
        return FileSource(
            url=self.ref_url(spec, resolved_ref),
            files=tuple(
                RemoteFile(
                    it.name,
                    it.download_url,
                    it.size,
                    f"md5:{it.computed_md5}" if it.computed_md5 else "",
                )
                for it in article.files
                if not it.is_link_only
            ),
            origins=(self._api_url,),
            unpack=True,
            notes=tuple(
                f"Leaving out {it.name}: it is only a link."
                for it in article.files
                if it.is_link_only
            ),
        )

    async def _fetch(self, path: str, spec: LaunchSpec) -> _Article:
        return await self._api.fetch(
            f"{self._api_url}/{path}",
            _Article,
            missing=f"There is no public Figshare article {self.format(spec)}.",
        )


def _number(repository: str) -> str:
    return re.split(r"[./]", repository)[-1]


def _versioned(repository: str, ref: str) -> str:
    version = _VERSION.fullmatch(ref)
    return f"{repository}.v{version['version']}" if version else repository


def make_figshare(parts: ProviderParts) -> FigshareProvider:
    """The provider, as the settings want it."""
    settings = parts.settings
    api = make_api(parts, FigshareProvider.id, "Figshare", [settings.figshare.api_url])
    return FigshareProvider(api_url=settings.figshare.api_url, doi_url=settings.doi_url, api=api)
