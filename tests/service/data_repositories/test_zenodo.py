"""Zenodo's own: versions and the DOI of all of them, rate limits, other sites like it."""

import pytest

from binder_federation.binder.errors import RepositoryNotFound
from binder_federation.binder.providers.base import FileSource, Missing, Resolved, Unavailable
from binder_federation.binder.ref_cache import MemoryRefCache
from binder_federation.binder.resolver import Resolver
from tests.service.data_repositories.sites import ZenodoCase, asked
from tests.support.fake_data_site import window_end

CONCEPT = "10.5281/zenodo.100"


async def test_the_doi_of_all_versions_is_the_latest_one() -> None:
    case = ZenodoCase()
    async with asked(case) as zenodo:
        case.site.publish(100, 101, {"a": "1"})
        assert await zenodo.resolve(CONCEPT) == Resolved("101", repository="10.5281/zenodo.101")
        case.site.publish(100, 103, {"a": "2"})
        assert await zenodo.resolve(CONCEPT) == Resolved("103", repository="10.5281/zenodo.103")
        old = await zenodo.resolve("10.5281/zenodo.101")
        assert old == Resolved("101", repository="10.5281/zenodo.101"), "it is still what it was"
        assert case.doi.requests == [], "the DOI itself says where it leads"


async def test_both_dois_share_an_image() -> None:
    case = ZenodoCase()
    async with asked(case) as zenodo:
        doi = case.site.publish(100, 103, {"a": "1"})
        resolver = Resolver(
            providers={"zenodo": zenodo.provider},
            cache=MemoryRefCache(),
            settings=case.settings(),
        )
        one = await resolver.resolve(zenodo.parse(CONCEPT))
        other = await resolver.resolve(zenodo.parse(doi))
        assert one.image_key == other.image_key
        assert one.spec.repository == doi
        again = await resolver.resolve(zenodo.parse(CONCEPT))
        assert again == one, "what is remembered must name the version too"
        await resolver.aclose()


async def test_its_files_and_their_checksums() -> None:
    case = ZenodoCase()
    async with asked(case) as zenodo:
        doi = case.site.publish(100, 101, {"owner/repo-v1.zip": b"PK"})
        source = await zenodo.provider.source(zenodo.parse(doi), "101")
        assert isinstance(source, FileSource)
        (file,) = source.files
        assert file.path == "owner/repo-v1.zip"
        assert file.size_bytes == 2
        assert file.checksum == f"md5:{case.site.stored[0].md5}"
        assert source.unpack
        assert source.origins == (case.site.url,)
        case.site.hidden.add("101")
        with pytest.raises(RepositoryNotFound, match="does not give access"):
            await zenodo.provider.source(zenodo.parse(doi), "101")


async def test_what_is_left_of_our_quota_is_shown() -> None:
    case = ZenodoCase()
    async with asked(case) as zenodo:
        await zenodo.resolve(case.site.publish(100, 101, {"a": "1"}))
        name = "binderfed_provider_rate_limit_remaining"
        assert zenodo.metrics.get_sample_value(name, {"provider": "zenodo"}) == 59


async def test_a_limit_that_only_tells_when_it_ends() -> None:
    case = ZenodoCase()
    async with asked(case) as zenodo:
        headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": window_end(40)}
        case.site.limit_next(headers=headers)
        limited = await zenodo.resolve(CONCEPT)
        assert isinstance(limited, Unavailable)
        assert limited.retry_after_seconds is not None
        assert 30 < limited.retry_after_seconds <= 40


async def test_other_dois_are_looked_up() -> None:
    case = ZenodoCase()
    async with asked(case) as zenodo:
        case.site.publish(100, 101, {"a": "1"})
        case.doi.register("10.22002/D1.1098", f"{case.site.url}/records/101")
        resolved = await zenodo.resolve("10.22002/D1.1098")
        assert resolved == Resolved("101", repository="10.22002/d1.1098")
        source = await zenodo.provider.source(zenodo.parse("10.22002/D1.1098"), "101")
        assert isinstance(source, FileSource)
        assert [it.path for it in source.files] == ["a"]


@pytest.mark.parametrize(
    "target", ["https://evil.example/records/1", "{site}/deposit/1", "javascript:x", None]
)
async def test_dois_that_lead_elsewhere(target: str | None) -> None:
    case = ZenodoCase()
    async with asked(case) as zenodo:
        case.doi.register("10.1234/x", target and target.format(site=case.site.url))
        answer = await zenodo.resolve("10.1234/x")
        assert isinstance(answer, Missing), answer
        assert case.site.requests == []


async def test_a_doi_that_nobody_registered() -> None:
    async with asked(ZenodoCase()) as zenodo:
        answer = await zenodo.resolve("10.1234/x")
        assert answer == Missing("repository", "There is no DOI 10.1234/x.")


async def test_an_id_that_is_none_is_not_believed() -> None:
    case = ZenodoCase()
    async with asked(case) as zenodo:
        case.site.answer_next('{"id": "../../x"}')
        assert isinstance(await zenodo.resolve(CONCEPT), Unavailable)
