"""What holds for every provider of data repositories, each against a server like the real one."""

from collections.abc import AsyncIterator

import pytest

from binder_federation.binder.errors import (
    ProviderUnavailable,
    RepositoryNotFound,
    SpecBanned,
)
from binder_federation.binder.providers.base import (
    FileSource,
    Missing,
    Resolved,
    Unavailable,
)
from tests.service.data_repositories.sites import CASES, Asked, Case, asked
from tests.support.fake_data_site import FakeDataSite

every_site = pytest.mark.parametrize("case", CASES, ids=[it.provider for it in CASES])
FILES = {"index.ipynb": "{}", "data.csv": "1,2"}


@pytest.fixture
async def site(case: type[Case]) -> AsyncIterator[Asked]:
    async with asked(case()) as made:
        yield made


@every_site
async def test_the_version_and_its_files(site: Asked) -> None:
    raw = site.case.publish(FILES)
    spec = site.parse(raw)
    resolved = await site.provider.resolve(spec, None)
    assert isinstance(resolved, Resolved), resolved
    source = await site.provider.source(spec, resolved.resolved_ref)
    assert isinstance(source, FileSource)
    assert sorted(it.path for it in source.files) == sorted(FILES)
    assert all(it.url.startswith(site.case.site.url) for it in source.files)


@every_site
async def test_a_change_is_another_version(site: Asked) -> None:
    first = await site.resolve(site.case.publish(FILES))
    again = await site.resolve(raw := site.case.publish({**FILES, "more.csv": "3"}))
    assert isinstance(first, Resolved)
    assert isinstance(again, Resolved)
    assert first.resolved_ref != again.resolved_ref
    source = await site.provider.source(site.parse(raw), again.resolved_ref)
    assert isinstance(source, FileSource)
    assert "more.csv" in {it.path for it in source.files}


@every_site
async def test_a_resolved_path_stands_for_itself(site: Asked) -> None:
    """The federation resolves, and a member is asked for the path that comes out."""
    spec = site.parse(site.case.publish(FILES))
    resolved = await site.provider.resolve(spec, None)
    assert isinstance(resolved, Resolved)
    pinned = spec.named(resolved.repository).at(resolved.resolved_ref)
    path = site.provider.format(pinned)
    again = site.parse(path)
    assert again.image_key(resolved.resolved_ref) == pinned.image_key(resolved.resolved_ref)
    anew = await site.provider.resolve(again, None)
    assert isinstance(anew, Resolved)
    assert anew.resolved_ref == resolved.resolved_ref, "a BinderHub would build something else"


@every_site
async def test_nothing_there(site: Asked) -> None:
    missing = await site.resolve(site.case.absent_spec())
    assert isinstance(missing, Missing), missing
    assert missing.what == "repository"
    assert site.case.site.requests, "the site was not asked"


@every_site
async def test_answers_that_say_no(site: Asked) -> None:
    raw = site.case.publish(FILES)
    is_asked_twice = site.case.provider == "dataverse"  # the DOI could be a file's
    for status in (404, 410, 403, 401, 451):
        site.case.site.fail_next(2 if is_asked_twice else 1, status=status)
        answer = await site.resolve(raw)
        assert isinstance(answer, Missing), (status, answer)
        assert answer.what == "repository"


@every_site
async def test_what_fails_in_passing_is_asked_again(site: Asked) -> None:
    raw = site.case.publish(FILES)
    site.case.site.fail_next(status=503)
    assert isinstance(await site.resolve(raw), Resolved)


@every_site
async def test_a_site_that_is_down(site: Asked) -> None:
    raw = site.case.publish(FILES)
    spec = site.parse(raw)
    site.case.site.fail_next(3)
    answer = await site.resolve(raw)
    assert isinstance(answer, Unavailable), answer
    assert "does not answer now" in answer.message
    site.case.site.fail_next(3)
    with pytest.raises(ProviderUnavailable, match="does not answer now"):
        await site.provider.source(spec, "103" if spec.provider == "zenodo" else "9.v1.0")


SENSELESS = [
    "<html>",
    "",
    "[]",
    "null",
    '{"data": 3}',
    '{"result": {}}',
    '{"id": [1]}',
    "[" * 99_999,
]


@every_site
async def test_answers_that_make_no_sense(site: Asked) -> None:
    raw = site.case.publish(FILES)
    for text in SENSELESS:
        site.case.site.answer_next(text)
        answer = await site.resolve(raw)
        assert isinstance(answer, Unavailable), (text[:20], answer)
        assert "cannot be understood" in answer.message


@every_site
async def test_a_rate_limit(site: Asked) -> None:
    raw = site.case.publish(FILES)
    site.case.site.limit_next(headers={"Retry-After": "17"})
    answer = await site.resolve(raw)
    assert isinstance(answer, Unavailable)
    is_one_site = site.case.provider not in ("dataverse", "ckan")
    assert answer.retry_after_seconds == (17 if is_one_site else None), "others would be stopped"
    assert "takes no more requests" in answer.message
    assert len(site.case.site.requests) == 1, "who is limited must not ask again"


@every_site
async def test_a_site_that_hangs(case: type[Case]) -> None:
    async with asked(case(), timeout_seconds=0.2) as site:
        raw = site.case.publish(FILES)
        site.case.site.hang()
        answer = await site.resolve(raw)
    assert isinstance(answer, Unavailable)
    assert "did not answer within 0.2 seconds" in answer.message


@every_site
async def test_redirects_lead_on_and_not_into_our_network(site: Asked) -> None:
    raw = site.case.publish(FILES)
    resolved = await site.resolve(raw)
    path = site.case.site.paths[0]
    site.case.site.redirect_next(f"{site.case.site.url}{path}")
    assert await site.resolve(raw) == resolved
    async with FakeDataSite() as ours:
        site.case.site.redirect_next(f"{ours.url}/secret")
        with pytest.raises(SpecBanned, match="not on the public internet"):
            await site.resolve(raw)
        assert ours.requests == []


@every_site
async def test_redirects_without_an_end(site: Asked) -> None:
    raw = site.case.publish(FILES)
    for _ in range(6):
        site.case.site.redirect_next("/again")
    with pytest.raises(SpecBanned, match="redirects more than"):
        await site.resolve(raw)


@every_site
async def test_content_that_went_away(site: Asked) -> None:
    raw = site.case.publish(FILES)
    resolved = await site.resolve(raw)
    assert isinstance(resolved, Resolved)
    site.case.site.fail_next(1, status=410)
    with pytest.raises(RepositoryNotFound):
        await site.provider.source(site.parse(raw), resolved.resolved_ref)


@every_site
async def test_what_the_home_page_needs(site: Asked) -> None:
    display = site.provider.display
    assert display["id"] == site.case.provider
    assert display["displayName"]
    assert display["ref"]["enabled"] is False
    assert display["repo"]["label"]
    assert display["repo"]["placeholder"]
    assert display["spec"]["validateRegex"]
    assert display["detect"]["regex"]


@every_site
async def test_addresses_for_people(site: Asked) -> None:
    spec = site.parse(site.case.publish(FILES))
    resolved = await site.provider.resolve(spec, None)
    assert isinstance(resolved, Resolved)
    for address in (
        site.provider.repository_url(spec),
        site.provider.ref_url(spec, resolved.resolved_ref),
    ):
        assert address.startswith(("http://", "https://")), address
