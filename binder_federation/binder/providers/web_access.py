"""Reads web addresses that strangers chose, under the rules that git's URLs are under.

Only http and https; every address of the host must be public, and the one that was checked
is the one that is connected to; each redirect is vetted anew. Exempt are what the settings
trust (`trusted_prefixes`) and the origins that the operator named for a provider. Nothing
of ours is sent along: no credentials, no cookies.

Neighbours: `git_access.py` for git, `addresses.py` for what is public.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv6Address

import httpx

from binder_federation.binder.errors import InvalidSpec, RepositoryNotFound, SpecBanned
from binder_federation.binder.providers.addresses import Address, AddressGuard
from binder_federation.binder.providers.git_urls import parse_git_prefix, parse_git_url
from binder_federation.config.providers import ProviderSettings

_MOST_HOPS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_USER_AGENT = "binder-federation"


class WebAccess:
    """The rules of the settings, applied to requests."""

    def __init__(
        self, *, settings: ProviderSettings, client: httpx.AsyncClient, guard: AddressGuard
    ) -> None:
        self._is_private_allowed = settings.allow_private_addresses
        # Each was read before, by GitAccess, which says what is wrong with one.
        self._trusted = tuple(parse_git_prefix(text) for text in settings.trusted_prefixes)
        self._client = client
        self._guard = guard

    def check(self, url: str, *, origins: Collection[str] = ()) -> None:
        """What can be told of `url` without asking anybody. Raises `SpecBanned`."""
        parsed = _parse(url)
        if not self._is_exempt(parsed, origins):
            self._guard.check_literal(parsed.host)

    @asynccontextmanager
    async def open(
        self,
        url: str,
        *,
        origins: Collection[str] = (),
        headers: Mapping[str, str] | None = None,
        timeout: httpx.Timeout | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """The answer at `url` or where that leads, its body not read yet.

        Raises `SpecBanned`, `RepositoryNotFound` when there is no such host,
        `ProviderUnavailable` when it cannot be looked up, `httpx.TransportError`.
        """
        target = _parse(url)
        for _ in range(_MOST_HOPS + 1):
            response = await self._send(target, origins, headers or {}, timeout)
            try:
                if response.status_code not in _REDIRECTS:
                    yield response
                    return
                target = _redirected(target, response)
            finally:
                await response.aclose()
        raise SpecBanned(f"{target.host} redirects more than {_MOST_HOPS} times.")

    async def _send(
        self,
        url: httpx.URL,
        origins: Collection[str],
        headers: Mapping[str, str],
        timeout: httpx.Timeout | None,
    ) -> httpx.Response:
        addresses: Sequence[Address | None] = [None]
        if not self._is_exempt(url, origins):
            addresses = await self._guard.fetch_allowed(url.host)
        trouble: httpx.TransportError | None = None
        for address in addresses:
            request = self._client.build_request(
                "GET",
                url if address is None else url.copy_with(host=_in_url(address)),
                headers={"User-Agent": _USER_AGENT, **headers, "Host": url.netloc.decode()},
                extensions={} if address is None else {"sni_hostname": url.host},
                timeout=timeout or self._client.timeout,
            )
            try:
                return await self._client.send(request, stream=True, follow_redirects=False)
            except httpx.TransportError as error:
                trouble = error
        assert trouble is not None, "every host that is let through has an address"  # noqa: S101
        raise trouble

    def _is_exempt(self, url: httpx.URL, origins: Collection[str]) -> bool:
        if self._is_private_allowed or any(same_origin(str(url), each) for each in origins):
            return True
        try:
            place = parse_git_url(str(url.copy_with(query=None, fragment=None)))
        except InvalidSpec:
            return False
        return any(place.is_within(prefix) for prefix in self._trusted)


def make_web_access(settings: ProviderSettings, client: httpx.AsyncClient) -> WebAccess:
    """The rules for addresses that are not git's."""
    guard = AddressGuard(timeout_seconds=settings.timeout_seconds)
    return WebAccess(settings=settings, client=client, guard=guard)


def same_origin(one: str, other: str) -> bool:
    """Whether two URLs have the same scheme, host and port."""
    try:
        left, right = httpx.URL(one), httpx.URL(other)
    except httpx.InvalidURL:
        return False
    return (left.scheme, left.netloc) == (right.scheme, right.netloc)


def _parse(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise RepositoryNotFound("A file's address cannot be understood.") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise SpecBanned("Files are only fetched with http:// and https://.")
    return parsed.copy_with(username=None, password=None, fragment=None)


def _redirected(url: httpx.URL, response: httpx.Response) -> httpx.URL:
    try:
        return _parse(str(url.join(str(response.headers.get("Location", "")))))
    except (httpx.InvalidURL, UnicodeError) as error:
        raise RepositoryNotFound(f"{url.host} redirects to no address.") from error


def _in_url(address: Address) -> str:
    return f"[{address}]" if isinstance(address, IPv6Address) else str(address)
