"""Bans of networks and repositories, given live.

A ban that would hit everybody is rarely meant: it needs `everything` with it. What a pattern
would hit is found by asking it for repositories that nobody has.
"""

import re
from ipaddress import ip_network

from pydantic import TypeAdapter, ValidationError

from binder_federation.config.limits import Cidr
from binder_federation.config.resources import Pattern
from binder_federation.federation.orders.errors import InvalidOrder, OrderUnknown
from binder_federation.federation.steering.document import BanOrder, SteeringDocument, Word

WIDEST = {4: 8, 6: 16}
"""Bits of the widest network that is banned without `everything`."""
NOBODYS = (
    "qz7x-nobody/w4k-nothing-0j",
    "10.5281/zenodo.98765432101",
    "https://qz7x.test/w4k",
)
MOST_PATTERN = 1000

_CIDR: TypeAdapter[str] = TypeAdapter(Cidr)
_PATTERN: TypeAdapter[str] = TypeAdapter(Pattern)


def read_network(text: str, *, everything: bool = False) -> str:
    """The network in its usual form. Raises `InvalidOrder`."""
    try:
        network = ip_network(_CIDR.validate_python(text))
    except ValidationError as error:
        raise InvalidOrder(
            f"{text[:60]!r} is no network.", advice="Write it as 192.0.2.0/24 or 2001:db8::/32."
        ) from error
    if network.prefixlen < WIDEST[network.version] and not everything:
        raise InvalidOrder(
            f"The network {network} has {network.num_addresses:,} addresses: "
            "that would ban nearly everybody.",
            advice="Name a smaller one, or say that this is meant with --everything.",
        )
    return str(network)


def read_pattern(text: str, *, providers: tuple[str, ...], everything: bool = False) -> str:
    """The pattern, if it is one. Raises `InvalidOrder`. `providers` are the ids of all."""
    text = text.strip()
    if not text or len(text) > MOST_PATTERN:
        raise InvalidOrder(f"A pattern has 1 to {MOST_PATTERN} characters.")
    try:
        compiled = re.compile(_PATTERN.validate_python(text), re.IGNORECASE)
    except (ValidationError, re.error) as error:
        raise InvalidOrder(
            f"{text[:100]!r} is no regular expression.",
            advice=r"Such as ^gh/owner/.* or ^gh/owner/repository$",
        ) from error
    hit = [provider for provider in providers if _hits_all(compiled, provider)]
    if hit and not everything:
        raise InvalidOrder(
            f"The pattern matches every repository of {', '.join(hit)}.",
            advice="Name an owner or a repository, or say that this is meant with --everything.",
        )
    return text


def find_same_ban(document: SteeringDocument, *, network: str | None, pattern: str | None) -> str:
    """The id of the ban of the same network or pattern; empty if there is none."""
    for ban in document.bans.values():
        if (ban.network, ban.pattern) == (network, pattern):
            return ban.id
    return ""


def ban(document: SteeringDocument, order: BanOrder) -> SteeringDocument:
    """The document with this ban, instead of one of the same network or pattern."""
    same = find_same_ban(document, network=order.network, pattern=order.pattern)
    return document.with_ban(order.model_copy(update={"id": same or order.id}))


def unban(document: SteeringDocument, ban_id: str) -> SteeringDocument:
    """The document without it. Raises `OrderUnknown`."""
    if ban_id not in document.bans:
        raise OrderUnknown(
            f"There is no ban with the id {ban_id[:40]!r}.",
            advice="`binderfed steering` shows those in force. Those of the settings and of the "
            "policy file are taken out there.",
        )
    return document.without_ban(ban_id)


def make_ban(
    ban_id: str,
    word: Word,
    *,
    network: str | None = None,
    label: str = "",
    pattern: str | None = None,
    message: str = "",
) -> BanOrder:
    """The order itself."""
    return BanOrder(
        id=ban_id, word=word, network=network, label=label, pattern=pattern, message=message
    )


def _hits_all(pattern: re.Pattern[str], provider: str) -> bool:
    return any(pattern.fullmatch(f"{provider}/{name}") for name in NOBODYS)
