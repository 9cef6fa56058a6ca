"""May git fetch this URL, and what must git be told so that it fetches nothing else?

One place answers for `git ls-remote`, for the clone and for submodules. In order:
the protocol is allowed; the host's addresses are public; redirects are followed here,
each hop under the same rules, and git is told to follow none; and git connects to the
very addresses that were checked. URLs that the settings trust are exempt.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import structlog

from binder_federation.binder.errors import (
    InvalidSpec,
    ProviderUnavailable,
    RepositoryNotFound,
    SpecBanned,
)
from binder_federation.binder.providers.addresses import Address, AddressGuard
from binder_federation.binder.providers.base import GitSource
from binder_federation.binder.providers.git_commands import fetch_git_version
from binder_federation.binder.providers.git_environment import PROXY_VARIABLES, inherited
from binder_federation.binder.providers.git_pins import pinned_source
from binder_federation.binder.providers.git_redirects import MOST_HOPS, fetch_redirect
from binder_federation.binder.providers.git_urls import GitUrl, parse_git_prefix, parse_git_url
from binder_federation.config.load import ConfigurationError
from binder_federation.config.providers import ProviderSettings

log = structlog.get_logger(__name__)

_HTTP = ("http", "https")
_FIRST_GIT_THAT_PINS = (2, 37)


@dataclass(frozen=True, slots=True)
class _Vetted:
    """A URL that may be fetched, and the addresses to hold git to (None: no rule)."""

    url: GitUrl
    is_trusted: bool
    addresses: Sequence[Address] | None


class GitAccess:
    """The rules of the settings, applied to strangers' URLs."""

    def __init__(
        self, *, settings: ProviderSettings, client: httpx.AsyncClient, guard: AddressGuard
    ) -> None:
        self._protocols = frozenset(settings.git.allowed_protocols)
        self._is_private_allowed = settings.allow_private_addresses
        self._trusted = tuple(_prefix(text) for text in settings.trusted_prefixes)
        self._timeout_seconds = settings.timeout_seconds
        self._client = client
        self._guard = guard
        self._is_git_pinning = False

    async def source_for_url(self, url: str) -> GitSource:
        """How git fetches `url` safely: a spec's repository, or a submodule (absolute only).

        Raises `InvalidSpec` when it is no URL, `SpecBanned` when it is not allowed,
        `RepositoryNotFound` when there is no such host or repository, `ProviderUnavailable`
        when the host does not answer.
        """
        parsed = parse_git_url(url)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return self._source(await self._follow(parsed))
        except TimeoutError as error:
            raise ProviderUnavailable(
                f"{parsed.host} did not answer within {self._timeout_seconds:g} seconds."
            ) from error

    def check_url(self, url: str) -> None:
        """What can be told of `url` without asking anybody. Raises `SpecBanned`."""
        parsed = parse_git_url(url)
        if self._is_trusted(parsed):
            return
        self._check_protocol(parsed)
        if not self._is_private_allowed:
            self._guard.check_literal(parsed.host)

    async def _follow(self, url: GitUrl) -> _Vetted:
        """Where `url` leads in the end, every hop vetted."""
        vetted = await self._vet(url)
        for _ in range(MOST_HOPS):
            if vetted.url.protocol not in _HTTP:
                return vetted
            target = await fetch_redirect(self._client, vetted.url, vetted.addresses)
            if target is None:
                return vetted
            vetted = await self._vet(_redirected(target))
        raise SpecBanned(f"The repository's URL redirects more than {MOST_HOPS} times.")

    async def _vet(self, url: GitUrl) -> _Vetted:
        if self._is_trusted(url):
            return _Vetted(url, is_trusted=True, addresses=None)
        self._check_protocol(url)
        if self._is_private_allowed or url.protocol == "file":
            return _Vetted(url, is_trusted=False, addresses=None)
        addresses = await self._guard.fetch_allowed(url.host)
        if url.protocol in _HTTP and not url.is_address:
            await self._ensure_git_pins()
        return _Vetted(url, is_trusted=False, addresses=addresses)

    async def _ensure_git_pins(self) -> None:
        """Before git 2.37 the setting that pins addresses was ignored: then fetch nothing."""
        if not self._is_git_pinning:
            self._is_git_pinning = await fetch_git_version() >= _FIRST_GIT_THAT_PINS
        if not self._is_git_pinning:
            log.error("git_too_old", needed=_FIRST_GIT_THAT_PINS)
            raise ProviderUnavailable("The git of this service is too old to fetch safely.")

    def _is_trusted(self, url: GitUrl) -> bool:
        return any(url.is_within(prefix) for prefix in self._trusted)

    def _check_protocol(self, url: GitUrl) -> None:
        if url.protocol not in self._protocols:
            allowed = ", ".join(sorted(self._protocols)) or "none"
            raise SpecBanned(
                f"Repositories may not be fetched with {url.protocol}:// here.",
                advice=f"Protocols that may be used: {allowed}.",
            )

    def _source(self, vetted: _Vetted) -> GitSource:
        # A proxy would look the name up again and undo the check of its addresses.
        environment = {} if vetted.addresses is not None else inherited(PROXY_VARIABLES)
        return pinned_source(
            vetted.url,
            vetted.addresses,
            environment=environment,
            uses_own_keys=vetted.is_trusted,
        )


def make_git_access(settings: ProviderSettings, client: httpx.AsyncClient) -> GitAccess:
    """The rules for strangers' URLs; `source_for_url` vets a submodule's."""
    return GitAccess(
        settings=settings,
        client=client,
        guard=AddressGuard(timeout_seconds=settings.timeout_seconds),
    )


def _redirected(text: str) -> GitUrl:
    try:
        url = parse_git_url(text)
    except InvalidSpec as error:
        raise RepositoryNotFound("The repository's URL leads to no repository.") from error
    if url.protocol not in _HTTP:
        raise SpecBanned(f"The repository's host redirects to {url.protocol}://.")
    return url


def _prefix(text: str) -> GitUrl:
    try:
        return parse_git_prefix(text)
    except InvalidSpec as error:
        raise ConfigurationError(
            f"providers.trusted_prefixes: {text!r} is not the beginning of a repository's URL."
        ) from error
