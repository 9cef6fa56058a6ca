"""Networks with labels, and which of them an address is in: one look-up per prefix length.

Thousands of networks cost as little as one: they are kept by the length of their prefix,
and an address is looked up once for each length that occurs, the longest first.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_network

from binder_federation.binder.visitor_addresses import parse_address

_BITS = {4: 32, 6: 128}


class LabelledNetworks:
    """`networks` are CIDR → label. Of several that hold an address the smallest one counts."""

    def __init__(self, networks: Mapping[str, str]) -> None:
        tables: dict[tuple[int, int], dict[int, str]] = {}
        for text, label in networks.items():
            network = ip_network(text, strict=False)
            shift = _BITS[network.version] - network.prefixlen
            table = tables.setdefault((network.version, shift), {})
            table[int(network.network_address) >> shift] = label
        self._tables = {
            version: sorted(
                ((shift, table) for (its, shift), table in tables.items() if its == version),
                key=lambda each: each[0],
            )
            for version in _BITS
        }

    def find(self, address: IPv4Address | IPv6Address) -> str | None:
        """The label of the network that `address` is in, or None."""
        number = int(address)
        for shift, table in self._tables[address.version]:
            label = table.get(number >> shift)
            if label is not None:
                return label
        return None

    def find_text(self, text: str) -> str | None:
        """The same for an address as text; what is no address is in no network."""
        address = parse_address(text)
        return None if address is None else self.find(address)
