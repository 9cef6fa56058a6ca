"""Public addresses only: a stranger's URL must not make us reach our own network.

A name is looked up here, once, and every address that it has must be public; what
was checked is then what is connected to (`git_access.py` pins it), because a name
may answer differently the next time it is asked (DNS rebinding).
Registries: https://www.iana.org/assignments/iana-ipv4-special-registry and -ipv6-.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address

from binder_federation.binder.errors import ProviderUnavailable, RepositoryNotFound, SpecBanned

Address = IPv4Address | IPv6Address
HostLookup = Callable[[str], Awaitable[Sequence[Address]]]
AddressRule = Callable[[Address], bool]

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NEVER = (
    ipaddress.ip_network("192.0.0.0/24"),  # protocol assignments
    ipaddress.ip_network("192.88.99.0/24"),  # 6to4 relays
    ipaddress.ip_network("2001::/23"),  # protocol assignments, Teredo among them
    ipaddress.ip_network("2002::/16"),  # 6to4: an IPv4 address inside, and nobody needs it
    ipaddress.ip_network("3fff::/20"),  # documentation
    ipaddress.ip_network("5f00::/16"),  # segment routing
)


def is_public(address: Address) -> bool:
    """Whether `address` is somewhere on the internet, for everybody the same place.

    Not: loopback, private, link-local (cloud metadata), shared (100.64/10), multicast,
    reserved, and IPv6 addresses that wrap an IPv4 one (mapped, 6to4, Teredo). NAT64's
    own prefix counts as the IPv4 address in it: networks without IPv4 see every other
    host there.
    """
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return is_public(IPv4Address(address.packed[-4:]))
        if address not in _GLOBAL_UNICAST or address.scope_id:
            return False
    if any(address in network for network in _NEVER):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def look_up_host(host: str) -> Sequence[Address]:
    """Every address of `host`, as this machine finds them; an address stands for itself."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
    return list(dict.fromkeys(addresses))


class AddressGuard:
    """Looks hosts up and lets through those that the rule allows."""

    def __init__(
        self,
        *,
        timeout_seconds: float,
        rule: AddressRule = is_public,
        look_up: HostLookup = look_up_host,
    ) -> None:
        self._timeout_seconds = timeout_seconds
        self._rule = rule
        self._look_up = look_up

    async def fetch_allowed(self, host: str) -> Sequence[Address]:
        """The addresses of `host`, all of them allowed.

        Raises `SpecBanned` when one of them is not, `RepositoryNotFound` when there is no
        such host, `ProviderUnavailable` when that cannot be found out now.
        """
        addresses = _literal(host) or await self._look_up_in_time(host)
        self._check(host, addresses)
        return addresses

    def check_literal(self, host: str) -> None:
        """Raise `SpecBanned` when `host` is itself an address that is not allowed; a name may
        still turn out to be one."""
        self._check(host, _literal(host))

    def _check(self, host: str, addresses: Sequence[Address]) -> None:
        if not all(self._rule(address) for address in addresses):
            raise SpecBanned(
                f"The host {host} is not on the public internet, where repositories must be.",
                advice="Only the operator of this service can allow other addresses.",
            )

    async def _look_up_in_time(self, host: str) -> Sequence[Address]:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                addresses = await self._look_up(host)
        except TimeoutError as error:
            raise ProviderUnavailable(f"The host {host} could not be looked up in time.") from error
        except socket.gaierror as error:
            if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", None)):
                raise RepositoryNotFound(f"There is no host named {host}.") from error
            raise ProviderUnavailable(f"The host {host} cannot be looked up now.") from error
        except (OSError, UnicodeError) as error:
            raise ProviderUnavailable(f"The host {host} cannot be looked up now.") from error
        if not addresses:
            raise RepositoryNotFound(f"The host {host} has no address.")
        return addresses


def _literal(host: str) -> Sequence[Address]:
    """The address that `host` is, or nothing when it is a name."""
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        return []
