"""Which pages of other sites may launch through this federation."""

from typing import Annotated

from pydantic import AfterValidator

from binder_federation.config.providers import Section


def _origin(value: str) -> str:
    scheme, _, host = value.partition("://")
    if value != "*" and (not scheme or not host or "/" in host):
        raise ValueError("must be `*` or an origin such as https://book.example")
    return value.lower()


class CorsSettings(Section):
    """Pages of all origins may launch, as at mybinder.org, unless some are named."""

    origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = ("*",)
    """Narrow this where visitors log in before they reach the federation: a page that may ask
    with its visitor's cookies launches in that visitor's name."""

    @property
    def named(self) -> frozenset[str] | None:
        """The origins that may; None: all."""
        return None if "*" in self.origins else frozenset(self.origins)
