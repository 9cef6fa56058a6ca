"""Addresses as texts that strangers send: read, put in one form, grouped for counting."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

IPV6_PREFIX = 64
"""One visitor of IPv6 has a whole network of this size, and addresses in it at will."""
LONGEST_ADDRESS = 64


@lru_cache(maxsize=65_536)
def parse_address(text: str) -> Address | None:
    """The address in `text`, which may have a port, brackets and a zone; None if it is none.

    An IPv4 address that is written as one of IPv6 is one of IPv4.
    """
    if len(text) > LONGEST_ADDRESS:
        return None
    bare = text.strip().strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@lru_cache(maxsize=65_536)
def counted_as(text: str) -> str:
    """Under which name the launches of an address are counted: IPv6 by its /64."""
    address = parse_address(text)
    if isinstance(address, IPv6Address):
        prefix = int(address) >> (128 - IPV6_PREFIX) << (128 - IPV6_PREFIX)
        return f"{IPv6Address(prefix)}/{IPV6_PREFIX}"
    return str(address) if address is not None else text[:LONGEST_ADDRESS]


class AddressSet:
    """Addresses of a few networks."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = tuple(ip_network(network) for network in networks)
        self._has = lru_cache(maxsize=4096)(self._look)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and self._has(text)

    def _look(self, text: str) -> bool:
        address = parse_address(text)
        return address is not None and any(address in network for network in self._networks)
