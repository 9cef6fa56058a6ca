"""The data repositories that the tests of all of them go through."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
from prometheus_client import CollectorRegistry

from binder_federation.binder.providers import ProviderMetrics, make_providers
from binder_federation.binder.providers.base import RepoProvider, Resolution
from binder_federation.binder.spec import LaunchSpec
from binder_federation.config.providers import ProviderSettings
from tests.support.fake_ckan import FakeCkan
from tests.support.fake_data_site import FakeDataSite
from tests.support.fake_dataverse import FakeDataverse
from tests.support.fake_doi import FakeDoi
from tests.support.fake_figshare import FakeFigshare
from tests.support.fake_hydroshare import FakeHydroShare
from tests.support.fake_zenodo import FakeZenodo

Files = Mapping[str, bytes | str]
RESOURCE = "8f7c2f0341ef4180b0dbe97f59130756"
DOI = "10.7910/DVN/TJCLKP"


class Case(ABC):
    """One provider and its site."""

    provider: str
    absent: str
    """A spec of something that is not there."""

    def __init__(self) -> None:
        self.site = self.make_site()
        self.doi = FakeDoi()

    @abstractmethod
    def make_site(self) -> FakeDataSite:
        """The server."""

    @abstractmethod
    def sections(self) -> dict[str, Any]:
        """Settings for it."""

    @abstractmethod
    def publish(self, files: Files) -> str:
        """Have it offer `files`; the spec of them."""

    def absent_spec(self) -> str:
        return self.absent

    def settings(self, **changes: Any) -> ProviderSettings:
        values = {"doi_url": self.doi.url, "timeout_seconds": 5, **self.sections(), **changes}
        return ProviderSettings.model_validate(values)


class ZenodoCase(Case):
    provider = "zenodo"
    absent = "10.5281/zenodo.404"
    site: FakeZenodo

    def make_site(self) -> FakeZenodo:
        return FakeZenodo()

    def sections(self) -> dict[str, Any]:
        return {"zenodo": {"sites": {"10.5281": self.site.url}}}

    def publish(self, files: Files) -> str:
        return self.site.publish(100, 101 + len(self.site.stored), files)


class FigshareCase(Case):
    provider = "figshare"
    absent = "10.6084/m9.figshare.404"
    site: FakeFigshare

    def make_site(self) -> FakeFigshare:
        return FakeFigshare()

    def sections(self) -> dict[str, Any]:
        return {"figshare": {"api_url": self.site.api_url}}

    def publish(self, files: Files) -> str:
        return self.site.publish(7, files).partition(".v")[0]


class DataverseCase(Case):
    provider = "dataverse"
    absent = "10.7910/DVN/NONE"
    site: FakeDataverse

    def make_site(self) -> FakeDataverse:
        return FakeDataverse()

    def sections(self) -> dict[str, Any]:
        return {"dataverse": {"installations": [self.site.url]}}

    def publish(self, files: Files) -> str:
        dataset = self.site.datasets[0] if self.site.datasets else self.site.create(9, DOI)
        version = f"{len(dataset.versions) + 1}.0"
        dataset.versions[version] = [self.site.listed(*it) for it in files.items()]
        self.doi.register(DOI, self.site.page(DOI))
        return DOI

    def absent_spec(self) -> str:
        self.doi.register(self.absent, self.site.page(self.absent))
        return self.absent


class HydroShareCase(Case):
    provider = "hydroshare"
    absent = "0" * 32
    site: FakeHydroShare

    def make_site(self) -> FakeHydroShare:
        return FakeHydroShare()

    def sections(self) -> dict[str, Any]:
        return {"hydroshare": {"url": self.site.url}}

    def publish(self, files: Files) -> str:
        second = 10 + len(self.site.stored)
        self.site.change(RESOURCE, f"2024-05-01T10:00:{second}.123456Z", files)
        return RESOURCE


class CkanCase(Case):
    provider = "ckan"
    site: FakeCkan

    def make_site(self) -> FakeCkan:
        return FakeCkan()

    def sections(self) -> dict[str, Any]:
        return {"trusted_prefixes": [f"{self.site.url}/"]}

    def publish(self, files: Files) -> str:
        second = 10 + len(self.site.stored)
        self.site.change("rivers", f"2024-05-01T10:00:{second}.123456", files)
        return quote(self.site.page("rivers"), safe="")

    def absent_spec(self) -> str:
        return quote(self.site.page("nowhere"), safe="")


CASES: tuple[type[Case], ...] = (
    ZenodoCase,
    FigshareCase,
    DataverseCase,
    HydroShareCase,
    CkanCase,
)


def plain_client() -> httpx.AsyncClient:
    """A client without certificates, which take long to load; the servers here have none."""
    return httpx.AsyncClient(timeout=5, verify=False)  # noqa: S501


@dataclass
class Asked:
    """A provider and what stands behind it."""

    case: Case
    provider: RepoProvider
    metrics: CollectorRegistry

    def parse(self, raw_spec: str) -> LaunchSpec:
        return self.provider.parse(raw_spec)

    async def resolve(self, raw_spec: str) -> Resolution:
        return await self.provider.resolve(self.parse(raw_spec), None)


@asynccontextmanager
async def asked(case: Case, **settings: Any) -> AsyncIterator[Asked]:
    """The case's servers and its provider; `settings` change the provider's."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(case.site)
        await stack.enter_async_context(case.doi)
        client = await stack.enter_async_context(plain_client())
        registry = CollectorRegistry()
        providers = make_providers(
            case.settings(**settings), client, metrics=ProviderMetrics.make(registry)
        )
        yield Asked(case, providers[case.provider], registry)
