"""Which addresses are public, and what of a URL counts as below a trusted one."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.errors import (
    ProviderUnavailable,
    RepositoryNotFound,
    SpecBanned,
)
from binder_federation.binder.providers.addresses import Address, AddressGuard, is_public
from binder_federation.binder.providers.git_urls import parse_git_prefix, parse_git_url
from binder_federation.runtime.errors import ServiceError

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.127.255.255",
    "192.0.0.1",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "::8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2001:10::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "5f00::1",
    "4000::1",
]
PUBLIC = [
    "8.8.8.8",
    "1.1.1.1",
    "140.82.112.3",
    "2606:4700::1111",
    "2a00:1450::1",
    "64:ff9b::808:808",
]


@pytest.mark.parametrize("text", PRIVATE)
def test_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@given(address=st.ip_addresses(v=4))
def test_an_ipv4_address_in_an_ipv6_one_is_no_way_around(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    assert not is_public(ipaddress.IPv6Address((0xFFFF << 32) | number))
    assert not is_public(ipaddress.IPv6Address((0x2002 << 112) | (number << 80)))
    assert is_public(ipaddress.IPv6Address((0x64FF9B << 96) | number)) == is_public(address)


def guard_for(*answers: str, error: OSError | None = None) -> AddressGuard:
    """A guard whose names have these addresses."""

    async def look_up(_host: str) -> Sequence[Address]:
        if error is not None:
            raise error
        return [ipaddress.ip_address(answer) for answer in answers]

    return AddressGuard(timeout_seconds=0.5, look_up=look_up)


async def test_all_addresses_must_be_public() -> None:
    assert len(await guard_for("8.8.8.8", "2606:4700::1111").fetch_allowed("example.org")) == 2
    with pytest.raises(SpecBanned, match="public internet"):
        await guard_for("8.8.8.8", "127.0.0.1").fetch_allowed("example.org")


async def test_an_address_is_not_looked_up() -> None:
    guard = guard_for(error=AssertionError("looked up"))  # type: ignore[arg-type]  # must not be
    with pytest.raises(SpecBanned):
        await guard.fetch_allowed("169.254.169.254")
    with pytest.raises(SpecBanned):
        await guard.fetch_allowed("::1")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (socket.gaierror(socket.EAI_NONAME, "no"), RepositoryNotFound),
        (socket.gaierror(socket.EAI_AGAIN, "later"), ProviderUnavailable),
        (OSError("broken"), ProviderUnavailable),
    ],
)
async def test_a_name_without_an_address(error: OSError, kind: type[ServiceError]) -> None:
    with pytest.raises(kind, match=r"example\.org"):
        await guard_for(error=error).fetch_allowed("example.org")


async def test_a_lookup_has_a_deadline() -> None:
    async def never(_host: str) -> Sequence[Address]:
        await asyncio.Event().wait()
        return []

    guard = AddressGuard(timeout_seconds=0.05, look_up=never)
    with pytest.raises(ProviderUnavailable, match="in time"):
        await guard.fetch_allowed("example.org")


async def test_this_machine_is_found_and_refused() -> None:
    with pytest.raises(SpecBanned):
        await AddressGuard(timeout_seconds=5).fetch_allowed("localhost")


@pytest.mark.parametrize(
    ("url", "prefix", "is_below"),
    [
        ("file:///srv/examples/a", "file:///srv/examples/", True),
        ("file:///srv/examples/a", "file:///srv/examples", True),
        ("/srv/examples/a", "file:///srv/examples", True),
        ("file:///srv/examples", "file:///srv/examples/", True),
        ("file:///srv/examples-secret/a", "file:///srv/examples/", False),
        ("file:///srv/examples/../../etc", "file:///srv/examples/", False),
        ("file:///srv/examples/%2e%2e/%2e%2e/etc", "file:///srv/examples/", False),
        ("file:///srv/examples/..%2f..%2fetc", "file:///srv/examples/", False),
        ("http://Git.Internal/a", "http://git.internal/", True),
        ("http://git.internal:80/a", "http://git.internal/", True),
        ("http://git.internal:81/a", "http://git.internal/", False),
        ("https://git.internal/a", "http://git.internal/", False),
        ("http://git.internal.evil.org/a", "http://git.internal/", False),
        ("http://git.internal@evil.org/a", "http://git.internal/", False),
        ("http://git.internal/open/a", "http://git.internal/open", True),
        ("http://git.internal/open/../closed/a", "http://git.internal/open", False),
        ("http://git.internal/open/%2e%2e/closed/a", "http://git.internal/open", False),
        ("http://git.internal/open/..%2fclosed/a", "http://git.internal/open", False),
        ("http://git.internal/open/..%252fclosed/a", "http://git.internal/open", False),
        ("git@git.internal:team/a", "git@git.internal:team/", True),
        ("root@git.internal:team/a", "git@git.internal:team/", False),
        ("git@git.internal:teams/a", "git@git.internal:team/", False),
    ],
)
def test_below_a_trusted_prefix(url: str, prefix: str, is_below: bool) -> None:
    assert parse_git_url(url).is_within(parse_git_prefix(prefix)) == is_below
