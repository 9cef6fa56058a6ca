"""What is Figshare's, Dataverse's, HydroShare's and CKAN's own."""

from typing import Any
from urllib.parse import quote

import pytest

from binder_federation.binder.errors import (
    ProviderUnavailable,
    RefNotFound,
    RepositoryNotFound,
    SpecBanned,
)
from binder_federation.binder.providers.base import FileSource, Missing, Resolved, Unavailable
from tests.service.data_repositories.sites import (
    DOI,
    RESOURCE,
    Asked,
    CkanCase,
    DataverseCase,
    FigshareCase,
    HydroShareCase,
    asked,
)


async def source_of(site: Asked, raw: str, resolved_ref: str) -> FileSource:
    source = await site.provider.source(site.parse(raw), resolved_ref)
    assert isinstance(source, FileSource)
    return source


async def test_a_figshare_version_says_itself_what_it_is() -> None:
    case = FigshareCase()
    async with asked(case) as figshare:
        first = case.site.publish(7, {"a.csv": "1"})
        case.site.publish(7, {"b.csv": "2"}, links=("https://elsewhere.example/c",))
        assert await figshare.resolve(first) == Resolved("7.v1")
        assert case.site.requests == [], "a version that is named need not be asked for"
        assert await figshare.resolve("10.6084/m9.figshare.7") == Resolved("7.v2")
        old = await source_of(figshare, first, "7.v1")
        assert [it.path for it in old.files] == ["a.csv"]
        new = await source_of(figshare, "10.6084/m9.figshare.7", "7.v2")
        assert [it.path for it in new.files] == ["b.csv"], "what is only a link is no file"
        assert "only a link" in new.notes[0]
        with pytest.raises(RepositoryNotFound, match=r"m9\.figshare\.7"):
            await source_of(figshare, first, "7.v3")


async def test_a_dataverse_version_and_its_folders() -> None:
    case = DataverseCase()
    async with asked(case) as dataverse:
        dataset = case.site.create(9, DOI)
        case.doi.register(DOI, case.site.page(DOI))
        table: dict[str, Any] = {"originalFileName": "table.csv", "filesize": 1}
        dataset.versions["1.0"] = [case.site.listed("old.txt", "0")]
        dataset.versions["2.1"] = [
            case.site.listed("code/run.py", "1"),
            case.site.listed("table.tab", "a\tb", dataFile=table),
            case.site.listed("secret.txt", "2", restricted=True),
        ]
        assert await dataverse.resolve(DOI) == Resolved("9.v2.1", repository=DOI)
        source = await source_of(dataverse, DOI, "9.v2.1")
        assert [it.path for it in source.files] == ["code/run.py", "table.csv"]
        run, original = source.files
        assert run.checksum.startswith("md5:")
        assert (original.checksum, original.size_bytes) == ("", None), "those are of another form"
        assert original.url.endswith("?format=original")
        assert source.notes == ("Leaving out secret.txt: it is not public.",)
        old = await source_of(dataverse, DOI, "9.v1.0")
        assert [it.path for it in old.files] == ["old.txt"]
        with pytest.raises(RefNotFound):
            await source_of(dataverse, DOI, "HEAD")


async def test_the_doi_of_a_dataverse_file_is_its_dataset() -> None:
    case = DataverseCase()
    async with asked(case) as dataverse:
        dataset = case.site.create(9, DOI)
        dataset.versions["1.0"] = [case.site.listed("a", "1")]
        dataset.file_dois.add(f"{DOI}/3YRRYJ")
        case.doi.register(f"{DOI}/3YRRYJ", case.site.page(f"{DOI}/3YRRYJ"))
        resolved = await dataverse.resolve(f"{DOI}/3YRRYJ")
        assert resolved == Resolved("9.v1.0", repository=DOI)


async def test_a_dataverse_that_nobody_knows_is_not_asked() -> None:
    case = DataverseCase()
    async with asked(case) as dataverse:
        case.doi.register(DOI, "https://dataverse.evil.example/citation?persistentId=x")
        answer = await dataverse.resolve(DOI)
        assert isinstance(answer, Missing)
        assert "a Dataverse that is known here" in answer.message


@pytest.mark.parametrize(
    ("modified", "ref"),
    [
        ("2024-05-01T10:00:00.123456Z", f"{RESOURCE}.v1714557600"),
        ("2024-05-01T10:00:00", f"{RESOURCE}.v1714557600"),
        ("2024-05-01T12:00:00+02:00", f"{RESOURCE}.v1714557600"),
    ],
)
async def test_a_hydroshare_version_is_the_time_of_its_change(modified: str, ref: str) -> None:
    case = HydroShareCase()
    async with asked(case) as hydroshare:
        case.site.change(RESOURCE, modified, {"a": "1"})
        assert await hydroshare.resolve(RESOURCE) == Resolved(ref)


async def test_a_hydroshare_resource_in_pages_and_folders() -> None:
    case = HydroShareCase()
    async with asked(case) as hydroshare:
        names = ["a b.csv", "deep/er/b.csv", "c.csv", "d.csv", "e.csv"]
        case.site.change(RESOURCE, "2024-05-01T10:00:00Z", dict.fromkeys(names, "1"))
        resolved = await hydroshare.resolve(RESOURCE)
        assert isinstance(resolved, Resolved)
        source = await source_of(hydroshare, RESOURCE, resolved.resolved_ref)
        assert [it.path for it in source.files] == names
        assert {it.size_bytes for it in source.files} == {1}


async def test_content_without_a_history_that_changed_is_not_taken_for_what_it_was() -> None:
    hydroshare_case, ckan_case = HydroShareCase(), CkanCase()
    async with asked(hydroshare_case) as hydroshare, asked(ckan_case) as ckan:
        for site in (hydroshare, ckan):
            raw = site.case.publish({"a": "1"})
            resolved = await site.resolve(raw)
            assert isinstance(resolved, Resolved)
            site.case.publish({"a": "2"})
            with pytest.raises(ProviderUnavailable, match="was changed while"):
                await source_of(site, raw, resolved.resolved_ref)


async def test_a_hydroshare_resource_that_does_not_tell() -> None:
    case = HydroShareCase()
    async with asked(case) as hydroshare:
        case.site.answer_next('{"dates": [{"type": "created", "start_date": "2019-01-01"}]}')
        assert isinstance(await hydroshare.resolve(RESOURCE), Unavailable)


async def test_a_ckan_activity_is_what_it_was() -> None:
    case = CkanCase()
    async with asked(case) as ckan:
        page = case.site.page("rivers")
        activity = case.site.change("rivers", "2024-05-01T10:00:00.5", {"old.csv": "1"})
        case.site.change("rivers", "2024-06-01T10:00:00.5", {"new.csv": "2"})
        then = quote(f"{page}?activity_id={activity}", safe="")
        assert await ckan.resolve(then) == Resolved(activity)
        assert case.site.requests == [], "what never changes need not be asked for"
        source = await source_of(ckan, then, activity)
        assert [it.path for it in source.files] == ["old.csv"]
        now = await ckan.resolve(quote(page, safe=""))
        assert now == Resolved("rivers.v1717236000")
        case.site.change("lakes", "2024-05-01T10:00:00.5", {})
        lakes = quote(f"{case.site.page('lakes')}?activity_id={activity}", safe="")
        with pytest.raises(RepositoryNotFound, match="no state of this dataset"):
            await source_of(ckan, lakes, activity)


async def test_ckan_resources_have_names() -> None:
    case = CkanCase()
    async with asked(case) as ckan:
        links = (
            "https://a.example/x/data.csv",
            "https://b.example/y/data.csv?z=1",
            "",
            "http://c/",
        )
        case.site.change("rivers", "2024-05-01T10:00:00.5", {"a%20b.csv": "1"}, links=links)
        raw = quote(case.site.page("rivers"), safe="")
        resolved = await ckan.resolve(raw)
        assert isinstance(resolved, Resolved)
        source = await source_of(ckan, raw, resolved.resolved_ref)
        paths = [it.path for it in source.files]
        assert paths == ["a b.csv", "data.csv", "resource-101-data.csv", "resource-103"]
        assert source.origins == (), "a stranger's site is trusted with nothing"
        assert not source.unpack


async def test_a_private_ckan_dataset() -> None:
    case = CkanCase()
    async with asked(case) as ckan:
        raw = case.publish({"a": "1"})
        case.site.private.add("rivers")
        answer = await ckan.resolve(raw)
        assert isinstance(answer, Missing)


async def test_a_ckan_site_in_our_network_is_not_asked() -> None:
    case = CkanCase()
    async with asked(case, trusted_prefixes=[]) as ckan:
        raw = case.publish({"a": "1"})
        with pytest.raises(SpecBanned, match="not on the public internet"):
            await ckan.resolve(raw)
        named = raw.replace("127.0.0.1", "localhost")
        with pytest.raises(SpecBanned, match="not on the public internet"):
            await ckan.resolve(named)
        assert case.site.requests == []
