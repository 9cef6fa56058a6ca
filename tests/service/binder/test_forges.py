"""What holds for every provider whose repositories are on a forge, each against its own server."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from binder_federation.binder.errors import ProviderUnavailable
from binder_federation.binder.providers import ProviderMetrics, make_providers
from binder_federation.binder.providers.base import (
    GitSource,
    Missing,
    RepoProvider,
    Resolved,
    Unavailable,
    Unchanged,
)
from binder_federation.binder.providers.git_commands import run_git
from binder_federation.binder.ref_cache import MemoryRefCache
from binder_federation.binder.resolver import Resolver
from tests.service.binder.forge_cases import ALL, GITHUB, GITLAB, WITH_BRANCHES, ForgeCase
from tests.support.fake_forge import FakeForge


def cases(some: tuple[ForgeCase, ...]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", some, ids=[case.provider for case in some])


every_forge = cases(ALL)


@pytest.fixture
async def forge(case: ForgeCase, tmp_path: Path) -> AsyncIterator[FakeForge]:
    async with case.server(tmp_path / "forge") as forge:
        yield forge


@pytest.fixture
def provider(case: ForgeCase, forge: FakeForge, client: httpx.AsyncClient) -> RepoProvider:
    return make_providers(case.settings(forge), client)[case.provider]


@cases(WITH_BRANCHES)
async def test_refs_of_every_kind(
    case: ForgeCase, forge: FakeForge, provider: RepoProvider
) -> None:
    repository = case.create(forge)
    first = repository.tag("v1", annotated=True)
    slashed = repository.branch("feature/x", {"x": "1"})
    odd = repository.branch('50%"+é', {"x": "2"})
    head = repository.commit({"y": "2"})
    refs = {"HEAD": head, "main": head, "v1": first, "feature/x": slashed, '50%"+é': odd}
    for ref, commit in {**refs, slashed[:9]: slashed}.items():
        resolved = await provider.resolve(case.at(ref), None)
        assert isinstance(resolved, Resolved), (ref, resolved)
        assert (ref, resolved.resolved_ref) == (ref, commit)


@cases(WITH_BRANCHES)
async def test_a_full_commit_id_asks_nobody(
    case: ForgeCase, forge: FakeForge, provider: RepoProvider
) -> None:
    assert await provider.resolve(case.at("A" * 40), None) == Resolved("a" * 40)
    assert forge.requests == []


@every_forge
async def test_asking_again_with_the_etag(
    case: ForgeCase, forge: FakeForge, provider: RepoProvider
) -> None:
    repository = case.create(forge)
    known = await provider.resolve(case.at("HEAD"), None)
    assert isinstance(known, Resolved)
    assert known.etag, "without an ETag every question costs quota"
    assert await provider.resolve(case.at("HEAD"), known) == Unchanged()
    changed = repository.commit({"x": "1"})
    answer = await provider.resolve(case.at("HEAD"), known)
    assert isinstance(answer, Resolved)
    assert answer.resolved_ref == changed


@every_forge
async def test_a_missing_repository(
    case: ForgeCase, forge: FakeForge, provider: RepoProvider
) -> None:
    missing = await provider.resolve(case.at("HEAD"), None)
    assert isinstance(missing, Missing)
    assert missing.what == "repository"
    assert f"{case.name} has no" in missing.message
    assert forge.requests, "the server was not asked"


@cases(WITH_BRANCHES)
async def test_a_missing_ref(case: ForgeCase, forge: FakeForge, provider: RepoProvider) -> None:
    case.create(forge)
    forge.create("ada/empty", {})
    missing = await provider.resolve(case.at("none"), None)
    assert missing == Missing("ref", f"{case.repository} has no branch, tag or commit none.")
    abbreviated = await provider.resolve(case.at("abcdef1"), None)
    assert isinstance(abbreviated, Missing)
    empty = await provider.resolve(case.at("HEAD", "ada/empty"), None)
    assert empty == Missing("ref", "ada/empty is empty: it has no commit yet.")


@cases(WITH_BRANCHES)
async def test_a_renamed_repository_is_followed(
    case: ForgeCase, forge: FakeForge, provider: RepoProvider, tmp_path: Path
) -> None:
    commit = case.create(forge).head()
    forge.rename(case.repository, "ada/difference")
    resolved = await provider.resolve(case.at("HEAD"), None)
    assert isinstance(resolved, Resolved)
    assert resolved.resolved_ref == commit
    assert await cloned(provider, case, tmp_path / "clone") == commit


@cases(WITH_BRANCHES)
async def test_our_credentials_go_to_no_other_host(
    case: ForgeCase, forge: FakeForge, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    provider = make_providers(case.settings(forge, case.login), client)[case.provider]
    case.expect_login(forge)
    async with case.server(tmp_path / "other") as other:
        case.create(other)
        forge.redirect_api(case.repository, f"{other.api_url}/elsewhere")
        assert isinstance(await provider.resolve(case.at("main"), None), Unavailable)
        assert other.requests == []


@every_forge
async def test_the_login_is_used_and_never_shown(
    case: ForgeCase, forge: FakeForge, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    commit = case.create(forge).head()
    case.expect_login(forge)
    forge.git.credentials = case.git_login
    provider = make_providers(case.settings(forge, case.login), client)[case.provider]
    assert isinstance(await provider.resolve(case.at("HEAD"), None), Resolved)
    assert "s3cret" in str(forge.requests[-1].headers)
    assert await cloned(provider, case, tmp_path / "clone") == commit
    shown = repr(await provider.source(case.at("HEAD"))) + repr(vars(provider))
    assert "s3cret" not in shown


@every_forge
async def test_wrong_credentials_are_our_fault(
    case: ForgeCase, forge: FakeForge, client: httpx.AsyncClient
) -> None:
    case.create(forge)
    wrong = dict.fromkeys(case.login, "wrong")
    provider = make_providers(case.settings(forge, wrong), client)[case.provider]
    answer = await provider.resolve(case.at("HEAD"), None)
    assert answer == Unavailable(f"{case.name} does not accept the credentials of this service.")


@every_forge
async def test_no_quota_left(case: ForgeCase, forge: FakeForge, client: httpx.AsyncClient) -> None:
    case.create(forge)
    registry = CollectorRegistry()
    metrics = ProviderMetrics.make(registry)
    provider = make_providers(case.settings(forge), client, metrics=metrics)[case.provider]
    forge.quota = 7
    assert isinstance(await provider.resolve(case.at("HEAD"), None), Resolved)
    sample = "binderfed_provider_rate_limit_remaining"
    label = {"provider": "gh" if case.provider == "gist" else case.provider}
    if case.tells_what_is_left:
        assert registry.get_sample_value(sample, label) == forge.quota
    forge.quota = 0
    limited = await provider.resolve(case.at("HEAD"), None)
    assert isinstance(limited, Unavailable)
    assert "takes no more requests" in limited.message
    expected = 1800 if case.tells_what_is_left else 60
    assert limited.retry_after_seconds == pytest.approx(expected, abs=5)


@every_forge
async def test_a_passing_limit_says_how_long(
    case: ForgeCase, forge: FakeForge, provider: RepoProvider
) -> None:
    case.create(forge)
    forge.limit_next(retry_after_seconds=90)
    limited = await provider.resolve(case.at("HEAD"), None)
    assert isinstance(limited, Unavailable)
    assert limited.retry_after_seconds == 90


MALFORMED = (
    "",
    "null",
    "[]",
    "7",
    '"x"',
    "{",
    "<html>",
    '{"sha": 7, "id": ["x"], "values": [[], {"name": "main", "target": {"hash": 7}}]}',
    '{"values": {"x": 1}, "public": "yes", "history": [{"version": 1}]}',
    '{"public": true, "history": [], "owner": 7, "mainbranch": 7, "id": "short"}',
    "[" * 20_000,
)


@every_forge
async def test_an_answer_that_makes_no_sense(
    case: ForgeCase, forge: FakeForge, provider: RepoProvider
) -> None:
    case.create(forge)
    ref = "HEAD" if case.provider == "gist" else "main"
    for text in MALFORMED:
        forge.answer_next(text)
        answer = await provider.resolve(case.at(ref), None)
        assert isinstance(answer, Unavailable), (text[:80], answer)
        assert "cannot be understood" in answer.message, text[:80]


@every_forge
async def test_a_status_that_was_not_expected(
    case: ForgeCase, forge: FakeForge, provider: RepoProvider
) -> None:
    ref = "HEAD" if case.provider == "gist" else "main"
    for status in (304, 400, 403, 410, 418, 451):
        forge.fail_next(1, status=status)
        answer = await provider.resolve(case.at(ref), None)
        is_missing = status in (403, 410, 451)
        assert isinstance(answer, Missing if is_missing else Unavailable), (status, answer)


@every_forge
async def test_failures_in_passing_and_lasting_ones(
    case: ForgeCase, forge: FakeForge, provider: RepoProvider
) -> None:
    case.create(forge)
    forge.fail_next(1, status=502)
    assert isinstance(await provider.resolve(case.at("HEAD"), None), Resolved)
    asked = len(forge.requests)
    forge.fail_next(10, status=503)
    answer = await provider.resolve(case.at("HEAD"), None)
    assert answer == Unavailable(f"{case.name} does not answer now.")
    assert len(forge.requests) == asked + 3


@every_forge
async def test_silence_has_a_deadline(
    case: ForgeCase, forge: FakeForge, client: httpx.AsyncClient
) -> None:
    settings = case.settings(forge, timeout_seconds=0.1)
    provider = make_providers(settings, client)[case.provider]
    forge.hang()
    answer = await provider.resolve(case.at("HEAD"), None)
    assert answer == Unavailable(f"{case.name} did not answer within 0.1 seconds.")


@every_forge
@pytest.mark.parametrize("trouble", ["down", "out of quota"])
async def test_an_older_answer_serves(
    case: ForgeCase, forge: FakeForge, client: httpx.AsyncClient, trouble: str
) -> None:
    commit = case.create(forge).head()
    now = [1_800_000_000.0]
    settings = case.settings(forge)
    providers = make_providers(settings, client, clock=lambda: now[0])
    resolver = Resolver(
        providers=providers, cache=MemoryRefCache(), settings=settings, clock=lambda: now[0]
    )
    try:
        assert (await resolver.resolve(case.at("HEAD"))).note == ""
        now[0] += 720
        if trouble == "down":
            forge.fail_next(100)
        else:
            forge.limit_next(retry_after_seconds=600)
        stale = await resolver.resolve(case.at("HEAD"))
        assert stale.resolved_ref == commit
        assert "Using the answer of 12 minutes ago." in stale.note
        assert case.name in stale.note, "the note says who does not answer"
        if trouble == "out of quota":
            asked = len(forge.requests)
            with pytest.raises(ProviderUnavailable, match="takes no more requests"):
                await resolver.resolve(case.at("HEAD", "other/0123456789"))
            assert len(forge.requests) == asked, "a limited provider is left alone"
    finally:
        await resolver.aclose()


@every_forge
def test_addresses_for_people(case: ForgeCase, forge: FakeForge, provider: RepoProvider) -> None:
    page = f"{forge.url}/{case.repository}"
    spec = case.at("HEAD")
    assert provider.repository_url(spec) == page
    views = {"gh": "/tree", "gl": "/-/tree", "bitbucket": "/src", "gist": ""}
    assert provider.ref_url(spec, "abc") == f"{page}{views[case.provider]}/abc"


@cases((GITHUB, GITLAB))
async def test_a_404_that_does_not_say_of_what(
    case: ForgeCase, forge: FakeForge, provider: RepoProvider
) -> None:
    case.create(forge)
    forge.fail_next(1, status=404)
    missing = await provider.resolve(case.at("main"), None)
    assert isinstance(missing, Missing)
    assert missing.what == "ref"
    assert len(forge.requests) == 2


async def cloned(provider: RepoProvider, case: ForgeCase, target: Path) -> str:
    """The head of a clone of what the provider says."""
    source: Any = await provider.source(case.at("HEAD"))
    assert isinstance(source, GitSource)
    arguments = ["clone", "-q", source.url, str(target)]
    result = await run_git(arguments, source=source, deadline_seconds=20)
    assert result.is_ok, result.errors
    head = await run_git(["rev-parse", "HEAD"], cwd=target, deadline_seconds=5)
    return head.output.strip()
