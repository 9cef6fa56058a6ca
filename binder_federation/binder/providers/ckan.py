"""Provider `ckan`: datasets of any CKAN site, by the dataset's percent-encoded URL.

The site is a stranger's choice, so `web_access.py` vets its address. `?activity_id=…` or
`/history/…` in the URL names an earlier state: that is the ref, and never changes. Without
one the dataset is what it is now; the time of its last change is the resolved ref, and
content that changed since is not taken for it. https://docs.ckan.org/en/latest/api/
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from binder_federation.binder.errors import InvalidSpec, RepositoryNotFound
from binder_federation.binder.providers.base import FileSource, RemoteFile, Resolution, Resolved
from binder_federation.binder.providers.data_parts import make_api
from binder_federation.binder.providers.git_urls import parse_git_url
from binder_federation.binder.providers.hydroshare import changed_meanwhile
from binder_federation.binder.providers.json_api import Answer, JsonApi, as_resolution
from binder_federation.binder.providers.parts import ProviderParts
from binder_federation.binder.providers.text import decode_once, shown
from binder_federation.binder.providers.web_access import WebAccess, make_web_access
from binder_federation.binder.spec import LaunchSpec

_EXAMPLE = "https://demo.ckan.org/dataset/sample-dataset-1"
_PATH = re.compile(
    r"(?P<place>(?:/[A-Za-z0-9_.~-]+)*)/dataset/(?P<dataset>[A-Za-z0-9_-]{2,100})"
    r"(?:/history/(?P<activity>[^/]+)|/resource/[^/]+)?"
)
_ACTIVITY = re.compile(r"[A-Za-z0-9-]{8,64}")
_PLAIN_SCHEME = re.compile(r"^(https?):/(?=[^/])")


class _Resource(Answer):
    id: str
    url: str | None = None


class _Dataset(Answer):
    id: str
    name: str
    metadata_modified: datetime
    resources: list[_Resource]

    @property
    def changed_at(self) -> int:
        """Seconds since 1970; CKAN writes UTC without saying so."""
        time = self.metadata_modified
        return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


class _DatasetAnswer(Answer):
    result: _Dataset


class CkanProvider:
    """Datasets by their URL."""

    id = "ckan"

    def __init__(self, *, access: WebAccess, api: JsonApi) -> None:
        self._access = access
        self._api = api

    @property
    def display(self) -> Mapping[str, Any]:
        """For the home page's form."""
        return {
            "displayName": "CKAN dataset",
            "id": self.id,
            "spec": {"validateRegex": r".+"},
            "detect": {
                "regex": r"^(?<repo>https?://[^?#]+/dataset/[^?#]+(?:\?activity_id=[^&#]+)?)$"
            },
            "repo": {"label": "URL of a CKAN dataset", "placeholder": f"example: {_EXAMPLE}"},
            "ref": {"enabled": False},
        }

    def parse(self, raw_spec: str) -> LaunchSpec:
        """`<percent-encoded URL of a dataset>`."""
        text = _PLAIN_SCHEME.sub(r"\1://", decode_once(raw_spec).strip())
        address, _, query = text.partition("#")[0].partition("?")
        url = parse_git_url(address.rstrip("/")) if "://" in address else None
        if url is None or url.protocol not in ("http", "https"):
            raise _invalid(text)
        path = _PATH.fullmatch(url.path)
        if path is None:
            raise _invalid(text)
        activity = path["activity"] or (parse_qs(query).get("activity_id") or [""])[0]
        if activity and not _ACTIVITY.fullmatch(activity):
            raise _invalid(text)
        place = f"{url.protocol}://{url.network_location}{path['place']}"
        return LaunchSpec(self.id, f"{place}/dataset/{path['dataset']}", activity or "HEAD")

    def check(self, spec: LaunchSpec) -> None:
        """The site's address, where it is spelt out."""
        self._access.check(spec.repository)

    def format(self, spec: LaunchSpec) -> str:
        """The inverse of `parse`."""
        return quote(_page(spec.repository, spec.ref), safe="")

    def repository_url(self, spec: LaunchSpec) -> str:
        """Its page."""
        return _page(spec.repository, spec.ref)

    def ref_url(self, spec: LaunchSpec, resolved_ref: str) -> str:
        """The page of that state, where there is one."""
        return _page(spec.repository, resolved_ref)

    async def resolve(
        self,
        spec: LaunchSpec,
        known: Resolved | None,  # noqa: ARG002 - the protocol's
    ) -> Resolution:
        """When it was last changed; an activity is not asked for."""
        if _is_activity(spec.ref):
            self.check(spec)
            return Resolved(spec.ref)
        return await as_resolution(self._latest(spec), is_one_site=False)

    async def _latest(self, spec: LaunchSpec) -> Resolved:
        dataset = await self._fetch(spec, "package_show", {"id": _name(spec)})
        return Resolved(f"{_name(spec)}.v{dataset.changed_at}")

    async def source(self, spec: LaunchSpec, resolved_ref: str = "") -> FileSource:
        """The files of its resources, wherever they are."""
        if _is_activity(resolved_ref):
            parameters = {"id": resolved_ref, "object_type": "package"}
            dataset = await self._fetch(spec, "activity_data_show", parameters)
            if _name(spec) not in (dataset.name, dataset.id):
                raise RepositoryNotFound(f"{resolved_ref} is no state of this dataset.")
        else:
            dataset = await self._fetch(spec, "package_show", {"id": _name(spec)})
            if resolved_ref != f"{_name(spec)}.v{dataset.changed_at}":
                raise changed_meanwhile()
        return FileSource(
            url=_page(spec.repository, resolved_ref),
            files=tuple(_remote_files(dataset)),
        )

    async def _fetch(
        self, spec: LaunchSpec, action: str, parameters: Mapping[str, str]
    ) -> _Dataset:
        place = spec.repository.rpartition("/dataset/")[0]
        answer = await self._api.fetch(
            f"{place}/api/3/action/{action}",
            _DatasetAnswer,
            parameters=parameters,
            missing=f"There is no public CKAN dataset at {spec.repository}.",
        )
        return answer.result


def _name(spec: LaunchSpec) -> str:
    return spec.repository.rpartition("/")[2]


def _is_activity(ref: str) -> bool:
    return ref != "HEAD" and _ACTIVITY.fullmatch(ref) is not None


def _page(repository: str, ref: str) -> str:
    return f"{repository}?activity_id={ref}" if _is_activity(ref) else repository


def _remote_files(dataset: _Dataset) -> list[RemoteFile]:
    """By the ends of their addresses; the resource's id comes before one that is taken."""
    files: dict[str, RemoteFile] = {}
    for resource in dataset.resources:
        if not resource.url:
            continue
        name = unquote(urlsplit(resource.url).path).rpartition("/")[2] or resource.id
        path = name if name not in files else f"{resource.id}-{name}"
        files[path] = RemoteFile(path, resource.url)
    return list(files.values())


def _invalid(text: str) -> InvalidSpec:
    return InvalidSpec(
        f"“{shown(text)}” is not the URL of a CKAN dataset.",
        advice=f"It looks like {_EXAMPLE}, percent-encoded.",
    )


def make_ckan(parts: ProviderParts) -> CkanProvider:
    """The provider, as the settings want it."""
    access = make_web_access(parts.settings, parts.client)
    return CkanProvider(access=access, api=make_api(parts, CkanProvider.id, "The CKAN site"))
