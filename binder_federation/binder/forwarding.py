"""Who asks, when proxies stand between: forwarded headers are believed of trusted proxies alone.

Each proxy adds at the right end of the list whom it heard the request from. So the list is
walked from the right, past proxies that we trust, and the first that we do not trust is the
visitor; what stands left of it is the visitor's own invention. Of the scheme and the host,
which proxies add in step, the entry of the outermost trusted proxy counts.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aiohttp import web

from binder_federation.binder.visitor_addresses import AddressSet, parse_address
from binder_federation.config.limits import ForwardedHeaders

MOST_HOPS = 32
FORWARDED_NAMES = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")
_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)
_PAIR = re.compile(r'\s*([A-Za-z-]{1,20})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))\s*')
_OUTSIDE_QUOTES = re.compile(r'((?:[^,"]|"(?:[^"\\]|\\.)*")*)(?:,|$)')


class Visitor(NamedTuple):
    """Who asks, and what they asked: the scheme and the host are as the visitor's browser has them.

    `scheme` and `host` are empty when no trusted proxy told them.
    """

    address: str
    scheme: str = ""
    host: str = ""


class TrustedProxies:
    """Reads forwarded headers of the proxies in `networks`."""

    def __init__(self, networks: Sequence[str] = (), headers: ForwardedHeaders | None = None):
        self._trusted = AddressSet(networks)
        self._is_standard = headers is ForwardedHeaders.FORWARDED

    def __bool__(self) -> bool:
        """Whether any proxy is trusted."""
        return bool(self._trusted)

    def trusts(self, remote: str) -> bool:
        """Whether what the peer `remote` forwards is believed."""
        return bool(self._trusted) and remote in self._trusted

    def find(self, request: web.Request) -> Visitor:
        """Who asks with `request`, past the proxies that are trusted."""
        remote = request.remote or ""
        if not self.trusts(remote):
            return Visitor(remote)
        told = {
            name: ",".join(request.headers.getall(name))
            for name in FORWARDED_NAMES
            if name in request.headers
        }
        return self.visitor(remote, told)

    def visitor(self, remote: str, headers: Mapping[str, str]) -> Visitor:
        """The visitor of a request that came from the peer `remote` (an address, or empty).

        `headers` has the forwarded headers, each once, its values joined with commas.
        """
        if not self.trusts(remote):
            return Visitor(remote)
        if self._is_standard:
            return self._walk(remote, _read_forwarded(headers.get("Forwarded", "")))
        return self._walk(
            remote,
            [Visitor(each) for each in _split(headers.get("X-Forwarded-For", ""))],
            schemes=_split(headers.get("X-Forwarded-Proto", "")),
            hosts=_split(headers.get("X-Forwarded-Host", "")),
        )

    def _walk(
        self,
        remote: str,
        hops: list[Visitor],
        *,
        schemes: Sequence[str] = (),
        hosts: Sequence[str] = (),
    ) -> Visitor:
        found, passed = Visitor(remote), 0
        outermost = Visitor("")
        while found.address in self._trusted and passed < len(hops):
            outermost = hops[-1 - passed]
            address = parse_address(outermost.address)
            passed += 1
            if address is None:
                break  # `unknown`, or garbage: the last address that we know stands
            found = Visitor(str(address))
        passed = max(passed, 1)
        return Visitor(
            found.address,
            _scheme(outermost.scheme or _from_right(schemes, passed)),
            _host(outermost.host or _from_right(hosts, passed)),
        )


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.rsplit(",", MOST_HOPS)[-MOST_HOPS:]] if value else []


def _from_right(values: Sequence[str], place: int) -> str:
    return values[max(len(values) - place, 0)] if values else ""


def _scheme(text: str) -> str:
    return text.lower() if text.lower() in ("http", "https") else ""


def _host(text: str) -> str:
    return text if _HOST.fullmatch(text) else ""


def _read_forwarded(value: str) -> list[Visitor]:
    """The entries of a `Forwarded` header (RFC 7239, 4); what is malformed is an unknown hop."""
    entries = [found[1] for found in _OUTSIDE_QUOTES.finditer(value[-8192:]) if found[1].strip()]
    return [_entry(text) for text in entries[-MOST_HOPS:]]


def _entry(text: str) -> Visitor:
    pairs = {name.lower(): quoted or plain for name, quoted, plain in _PAIR.findall(text) if name}
    return Visitor(pairs.get("for", ""), pairs.get("proto", ""), pairs.get("host", ""))
