"""Settings of what the federation believes of a request: proxies, and visitors' build tokens."""

from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from binder_federation.config.providers import Section
from binder_federation.config.resources import Pattern

LEAST_KEY = 32


def _cidr(value: str) -> str:
    try:
        return str(ip_network(value, strict=False))
    except ValueError as error:
        raise ValueError("a network such as 192.0.2.0/24 or 2001:db8::/32 is expected") from error


def _key(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < LEAST_KEY:
        raise ValueError(f"must be a random text of at least {LEAST_KEY} characters")
    return value


Cidr = Annotated[str, AfterValidator(_cidr)]
"""A network, in the form in which `ipaddress` writes it."""


class ForwardedHeaders(StrEnum):
    """In which headers the trusted proxies say for whom they ask."""

    X_FORWARDED = "x-forwarded"
    """`X-Forwarded-For`, `-Proto` and `-Host`."""
    FORWARDED = "forwarded"
    """`Forwarded` (RFC 7239)."""


class BotSettings(Section):
    """Which programs are refused at `/build` by what they call themselves."""

    refuse: bool = True
    """Those of the list crawler-user-agents, but for the tools that scripts are written with."""
    also: Annotated[tuple[Pattern, ...], Field(max_length=200)] = ()
    """Further ones: regular expressions, found anywhere in the user agent."""
    let_through: Annotated[tuple[Pattern, ...], Field(max_length=200)] = ()
    """Patterns of that list that do not count, such as `Go-http-client`."""


class TokenSettings(Section):
    """Build tokens of visitors: a launch from one of our own pages is not rate-limited."""

    keys: tuple[Annotated[SecretStr, AfterValidator(_key)], ...] = ()
    """The first signs, all are accepted. Without any, replicas agree on a random one."""
    required: bool = False
    """Whether a launch needs one: only our own pages can launch then."""
    check_origin: bool = True
    """Whether a token is good only on pages of the host that it was made for."""
    lifetime_seconds: Annotated[float, Field(gt=0)] = 300.0
