"""Resolving for the whole service: what is remembered, shared, and served when nobody answers."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from binder_federation.binder.errors import (
    ProviderUnavailable,
    RefNotFound,
    RepositoryNotFound,
    SpecBanned,
)
from binder_federation.binder.providers import make_providers
from binder_federation.binder.providers.base import Resolved
from binder_federation.binder.ref_cache import CachedRef, MemoryRefCache
from binder_federation.binder.resolver import Resolver
from binder_federation.binder.spec import LaunchSpec
from binder_federation.config.providers import ProviderSettings
from tests.support.eventually import eventually
from tests.support.fake_github import FakeGitHub

HEAD = LaunchSpec("gh", "ada/engine", "HEAD")


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def resolver(
    github: FakeGitHub, client: httpx.AsyncClient, clock: Clock
) -> AsyncIterator[Resolver]:
    """A resolver with the usual lifetimes: 60 s, and 300 s for what is missing."""
    settings = ProviderSettings(github=github.settings(), timeout_seconds=2)
    providers = make_providers(settings, client, clock=clock)
    resolver = Resolver(providers=providers, cache=MemoryRefCache(), settings=settings, clock=clock)
    yield resolver
    await resolver.aclose()


async def test_an_answer_is_believed_then_asked_for_with_its_etag(
    github: FakeGitHub, resolver: Resolver, clock: Clock
) -> None:
    repository = github.create("ada/engine")
    old = repository.head()
    assert (await resolver.resolve(HEAD)).resolved_ref == old
    new = repository.commit({"x": "1"})
    clock.now += 59
    assert (await resolver.resolve(HEAD)).resolved_ref == old
    assert len(github.requests) == 1
    clock.now += 2
    assert (await resolver.resolve(HEAD)).resolved_ref == new
    clock.now += 61
    quota = github.quota
    assert (await resolver.resolve(HEAD)).resolved_ref == new
    assert (len(github.requests), github.quota) == (3, quota)
    assert (await resolver.resolve(HEAD)).note == ""
    assert len(github.requests) == 3


async def test_callers_share_one_question(github: FakeGitHub, resolver: Resolver) -> None:
    commit = github.create("ada/engine").head()
    answers = await asyncio.gather(*(resolver.resolve(HEAD) for _ in range(50)))
    assert {answer.resolved_ref for answer in answers} == {commit}
    assert len(github.requests) == 1


async def test_a_caller_that_leaves_takes_nothing_from_the_others(
    github: FakeGitHub, resolver: Resolver
) -> None:
    commit = github.create("ada/engine").head()
    github.hang()
    async with asyncio.TaskGroup() as group:
        leaver = group.create_task(resolver.resolve(HEAD))
        stayer = group.create_task(resolver.resolve(HEAD))

        async def is_asked() -> bool:
            return len(github.requests) == 1

        await eventually(is_asked, what="the question")
        leaver.cancel()
        await asyncio.wait([leaver])
        github.go_on()
    assert leaver.cancelled()
    assert stayer.result().resolved_ref == commit
    assert len(github.requests) == 1


async def test_a_question_that_everybody_left_is_still_remembered(
    github: FakeGitHub, resolver: Resolver
) -> None:
    github.create("ada/engine")
    github.hang()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await resolver.resolve(HEAD)
    github.go_on()
    assert (await resolver.resolve(HEAD)).resolved_ref
    assert len(github.requests) == 1


async def test_what_is_missing_stays_missing_for_a_while(
    github: FakeGitHub, resolver: Resolver, clock: Clock
) -> None:
    with pytest.raises(RepositoryNotFound, match="ada/engine") as caught:
        await resolver.resolve(HEAD)
    assert caught.value.advice
    asked = len(github.requests)
    commit = github.create("ada/engine").head()
    clock.now += 299
    with pytest.raises(RepositoryNotFound):
        await resolver.resolve(HEAD)
    assert len(github.requests) == asked
    clock.now += 2
    assert (await resolver.resolve(HEAD)).resolved_ref == commit


@pytest.mark.parametrize(("asked_for", "there"), [("main", "trunk"), ("master", "main")])
async def test_a_missing_usual_branch_is_the_default_branch(
    github: FakeGitHub, resolver: Resolver, asked_for: str, there: str
) -> None:
    commit = github.create("ada/engine", branch=there).head()
    resolved = await resolver.resolve(HEAD.at(asked_for))
    assert resolved.resolved_ref == commit
    assert resolved.note == f"There is no branch {asked_for}; using the default branch."
    assert resolved.image_key == HEAD.image_key(commit)


async def test_another_missing_branch_is_missing(github: FakeGitHub, resolver: Resolver) -> None:
    github.create("ada/engine")
    with pytest.raises(RefNotFound, match="no branch, tag or commit develop"):
        await resolver.resolve(HEAD.at("develop"))
    github.create("ada/empty", {})
    with pytest.raises(RefNotFound, match="empty"):
        await resolver.resolve(LaunchSpec("gh", "ada/empty", "main"))


async def test_an_older_answer_serves_while_the_provider_is_down(
    github: FakeGitHub, resolver: Resolver, clock: Clock
) -> None:
    repository = github.create("ada/engine")
    old = repository.head()
    await resolver.resolve(HEAD)
    new = repository.commit({"x": "1"})
    clock.now += 12 * 60
    github.fail_next(3)
    stale = await resolver.resolve(HEAD)
    assert stale.resolved_ref == old
    assert stale.note == "GitHub does not answer now. Using the answer of 12 minutes ago."
    asked = len(github.requests)
    clock.now += 30
    assert "12 minutes ago" in (await resolver.resolve(HEAD)).note
    assert len(github.requests) == asked, "a provider that is down is not asked at every launch"
    clock.now += 31
    fresh = await resolver.resolve(HEAD)
    assert (fresh.resolved_ref, fresh.note) == (new, "")


async def test_without_an_older_answer_it_is_unavailable(
    github: FakeGitHub, resolver: Resolver
) -> None:
    github.create("ada/engine")
    github.fail_next(3)
    with pytest.raises(ProviderUnavailable, match="GitHub does not answer now"):
        await resolver.resolve(HEAD)
    assert (await resolver.resolve(HEAD)).resolved_ref, "trouble is not remembered as an answer"


async def test_deploy_3872_no_quota_left(
    github: FakeGitHub, resolver: Resolver, clock: Clock
) -> None:
    commit = github.create("ada/engine").head()
    github.create("ada/other")
    await resolver.resolve(HEAD)
    clock.now += 3600
    github.quota = 0
    github.limit_next(retry_after_seconds=600)
    known = await resolver.resolve(HEAD)
    assert known.resolved_ref == commit
    assert "takes no more requests" in known.note
    assert "1 hour ago" in known.note
    asked = len(github.requests)
    with pytest.raises(ProviderUnavailable, match="takes no more requests") as caught:
        await resolver.resolve(LaunchSpec("gh", "ada/other", "HEAD"))
    assert caught.value.retry_after_seconds == pytest.approx(600)
    pinned = await resolver.resolve(LaunchSpec("gh", "ada/other", "f" * 40))
    assert pinned.resolved_ref == "f" * 40
    assert len(github.requests) == asked, "GitHub is left alone until it takes requests again"
    clock.now += 601
    github.quota = 100
    assert (await resolver.resolve(LaunchSpec("gh", "ada/other", "HEAD"))).note == ""


async def test_a_ban_reaches_every_caller(resolver: Resolver) -> None:
    spec = LaunchSpec("git", "http://127.0.0.1:1/a", "HEAD")
    errors = await asyncio.gather(
        *(resolver.resolve(spec) for _ in range(3)), return_exceptions=True
    )
    assert [type(error) for error in errors] == [SpecBanned] * 3
    assert len({id(error) for error in errors}) == 3


async def test_memory_forgets_what_was_not_used_for_longest() -> None:
    cache = MemoryRefCache(most_entries=2)
    entry = CachedRef(Resolved("0" * 40), learned_at=1, asked_at=1)
    await cache.put("a", entry)
    await cache.put("b", entry)
    assert await cache.get("a") == entry
    await cache.put("c", entry)
    assert [await cache.get(key) is not None for key in "abc"] == [True, False, True]
