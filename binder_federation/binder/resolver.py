"""Resolves refs for the whole service: remembers answers, asks once, serves what it has.

An answer is believed for a while, then asked for again with its ETag. Callers who
want the same ref at the same time share one question. When a provider does not
answer, an older answer serves, with a note; a provider that told us to wait is left
alone until then. Providers know how to ask; how long to believe is decided here.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import structlog

from binder_federation.binder.errors import (
    ProviderUnavailable,
    RefNotFound,
    RepositoryNotFound,
)
from binder_federation.binder.providers.base import (
    Missing,
    RepoProvider,
    Resolution,
    Resolved,
    Unavailable,
    Unchanged,
)
from binder_federation.binder.providers.refs import is_commit_id
from binder_federation.binder.ref_cache import CachedRef, MemoryRefCache, RefCache, ref_key
from binder_federation.binder.spec import ImageKey, LaunchSpec
from binder_federation.config.providers import ProviderSettings
from binder_federation.runtime.errors import ServiceError
from binder_federation.runtime.tasks import BackgroundTasks

__all__ = ["CachedRef", "MemoryRefCache", "RefCache", "ResolvedSpec", "Resolver"]

log = structlog.get_logger(__name__)

_USUAL_BRANCHES = frozenset({"main", "master"})


@dataclass(frozen=True, slots=True)
class ResolvedSpec:
    """A spec and the immutable ref that it stands for. `note` is for the user, or empty.

    The spec's repository may be another than was asked for: the one that it stands for.
    """

    spec: LaunchSpec
    resolved_ref: str
    note: str = ""

    @property
    def image_key(self) -> ImageKey:
        """Names the image of it."""
        return self.spec.image_key(self.resolved_ref)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What callers are told: one of the answers that can be remembered, or an error."""

    outcome: Resolved | Missing | ServiceError
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Pause:
    """A provider wants no requests before `until`."""

    until: float
    message: str


class Resolver:
    """Turns specs into resolved specs."""

    def __init__(
        self,
        *,
        providers: Mapping[str, RepoProvider],
        cache: RefCache,
        settings: ProviderSettings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._providers = providers
        self._cache = cache
        self._settings = settings
        self._clock = clock
        self._tasks = BackgroundTasks()
        self._questions: dict[str, asyncio.Task[_Answer]] = {}
        self._pauses: dict[str, _Pause] = {}

    async def resolve(self, spec: LaunchSpec) -> ResolvedSpec:
        """What `spec` stands for now.

        A missing branch `main` or `master` is the default branch, with a note. Raises
        `RepositoryNotFound`, `RefNotFound`, `ProviderUnavailable` and `SpecBanned`.
        """
        answer = await self._answer(spec)
        if _is_missing_ref(answer.outcome) and spec.ref in _USUAL_BRANCHES:
            default = await self._answer(spec.at("HEAD"))
            note = f"There is no branch {spec.ref}; using the default branch."
            if not isinstance(default.outcome, Missing):
                answer = _Answer(default.outcome, f"{note} {default.note}".strip())
        match answer.outcome:
            case Resolved(resolved_ref=resolved_ref, repository=repository):
                return ResolvedSpec(spec.named(repository), resolved_ref, answer.note)
            case Missing() as missing:
                raise _not_found(missing)
            case ServiceError() as error:
                # Made anew: the same one may be raised by many callers at once.
                raise type(error)(
                    error.message,
                    advice=error.advice,
                    retry_after_seconds=error.retry_after_seconds,
                ) from error

    async def aclose(self) -> None:
        """Give up the questions that are being asked."""
        await self._tasks.aclose()

    async def _answer(self, spec: LaunchSpec) -> _Answer:
        """The answer about one ref: a remembered one, or a question shared with others."""
        key = ref_key(spec)
        entry = await self._cache.get(key)
        if entry is not None and self._is_fresh(entry):
            return self._from(entry)
        # No await between looking for a question and putting one there.
        question = self._questions.get(key)
        if question is None:
            question = self._tasks.start(self._ask(key, spec, entry), name=f"resolve {key}")
            self._questions[key] = question
            question.add_done_callback(lambda _: self._questions.pop(key, None))
        # A caller that goes away leaves the question to the others, and to the cache.
        return await asyncio.shield(question)

    def _is_fresh(self, entry: CachedRef) -> bool:
        lifetime_seconds = (
            self._settings.ref_lifetime_seconds
            if isinstance(entry.answer, Resolved)
            else self._settings.missing_lifetime_seconds
        )
        return 0 <= self._clock() - entry.asked_at < lifetime_seconds

    def _from(self, entry: CachedRef) -> _Answer:
        if not entry.trouble:
            return _Answer(entry.answer)
        age = _age(max(0.0, self._clock() - entry.learned_at))
        return _Answer(entry.answer, f"{entry.trouble} Using the answer of {age} ago.")

    async def _ask(self, key: str, spec: LaunchSpec, entry: CachedRef | None) -> _Answer:
        """Ask the provider and remember what it says."""
        known = entry.answer if entry and isinstance(entry.answer, Resolved) else None
        try:
            resolution = await self._resolution(spec, known)
        except ServiceError as error:
            return _Answer(error)
        now = self._clock()
        match resolution:
            case Resolved() | Missing():
                learned = CachedRef(resolution, learned_at=now, asked_at=now)
            case Unchanged() if known is not None:
                learned = CachedRef(known, learned_at=now, asked_at=now)
            case Unavailable() if known is not None and entry is not None:
                learned = replace(entry, asked_at=now, trouble=resolution.message)
            case Unavailable() | Unchanged():
                return _Answer(_unavailable(resolution))
        await self._cache.put(key, learned)
        return self._from(learned)

    async def _resolution(self, spec: LaunchSpec, known: Resolved | None) -> Resolution:
        """The provider's answer, unless it told us to wait."""
        pause = self._pauses.get(spec.provider)
        if pause is not None and pause.until > self._clock() and not is_commit_id(spec.ref):
            return Unavailable(pause.message, pause.until - self._clock())
        provider = self._providers[spec.provider]
        try:
            resolution = await provider.resolve(spec, known)
        except ServiceError:
            raise
        except Exception:
            # A mistake of ours; it must not end the service's liveness with it.
            log.exception("resolve_failed", provider=spec.provider)
            return Unavailable("Something went wrong on our side while looking up the ref.")
        if isinstance(resolution, Unavailable) and resolution.retry_after_seconds:
            until = self._clock() + resolution.retry_after_seconds
            self._pauses[spec.provider] = _Pause(until, resolution.message)
        return resolution


def _is_missing_ref(outcome: Resolved | Missing | ServiceError) -> bool:
    return isinstance(outcome, Missing) and outcome.what == "ref"


def _not_found(missing: Missing) -> ServiceError:
    if missing.what == "repository":
        return RepositoryNotFound(
            missing.message,
            advice="Check how the link is spelt. Private repositories cannot be launched.",
        )
    return RefNotFound(
        missing.message, advice="Check the ref; HEAD always stands for the default branch."
    )


def _unavailable(resolution: Unavailable | Unchanged) -> ProviderUnavailable:
    if isinstance(resolution, Unchanged):
        return ProviderUnavailable("The provider gave an answer that cannot be understood.")
    return ProviderUnavailable(
        resolution.message,
        advice="Try again in a while; a link with a full commit id is not looked up.",
        retry_after_seconds=resolution.retry_after_seconds,
    )


def _age(seconds: float) -> str:
    """`12 minutes`, in the largest unit that has at least one."""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = int(seconds // length)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "a moment"
