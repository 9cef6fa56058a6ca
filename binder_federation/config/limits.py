"""Settings of what the federation believes of a request: proxies, and visitors' build tokens."""

from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from binder_federation.config.providers import Section

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


class TokenSettings(Section):
    """Build tokens of visitors: a launch from one of our own pages is not rate-limited."""

    keys: tuple[Annotated[SecretStr, AfterValidator(_key)], ...] = ()
    """The first signs, all are accepted. Without any, replicas agree on a random one."""
    required: bool = False
    """Whether a launch needs one: only our own pages can launch then."""
    check_origin: bool = True
    """Whether a token is good only on pages of the host that it was made for."""
    lifetime_seconds: Annotated[float, Field(gt=0)] = 300.0
