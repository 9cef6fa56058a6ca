"""Providers of other packages: entry points of the group `binder_federation.providers`.

An entry point's name is the provider's id, and it leads to a factory (`parts.py`). A
package that is installed changes nothing by itself: `providers.enabled` names its
provider. Whatever is wrong with one is a `ConfigurationError` at the start, in a
sentence that names it, never a provider that is silently missing.
https://packaging.python.org/en/latest/specifications/entry-points/
"""

import re
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points

from binder_federation.binder.providers.base import RepoProvider
from binder_federation.binder.providers.parts import ProviderFactory, ProviderParts
from binder_federation.config.load import ConfigurationError

GROUP = "binder_federation.providers"
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


def find_factory(provider_id: str, built_in: Mapping[str, ProviderFactory]) -> ProviderFactory:
    """The factory of one provider. Raises `ConfigurationError`."""
    all_offered = _offered(tuple(sys.path))
    offered = all_offered.select(name=provider_id)
    if provider_id in built_in:
        if offered:
            raise _mistake(
                f"provider {provider_id} is built in, and {_packages(offered)} offers it again"
            )
        return built_in[provider_id]
    if not offered:
        known = ", ".join(sorted({*built_in, *all_offered.names}))
        raise _mistake(f"there is no provider {provider_id!r}; there are {known}")
    if len(offered) > 1:
        raise _mistake(f"provider {provider_id} is offered twice, by {_packages(offered)}")
    if not _ID.fullmatch(provider_id):
        raise _mistake(f"{provider_id!r} cannot be the id of a provider: it stands in links")
    return _load(next(iter(offered)))


def make_further(provider_id: str, factory: ProviderFactory, parts: ProviderParts) -> RepoProvider:
    """The provider that another package's factory makes. Raises `ConfigurationError`."""
    try:
        provider = factory(parts)
        own_id = provider.id
    except Exception as error:  # its settings are wrong, most often
        raise ConfigurationError(
            f"providers.further.{provider_id}: the provider cannot be made: "
            f"{type(error).__name__}: {error}"
        ) from error
    if own_id != provider_id:
        raise _mistake(f"provider {provider_id} calls itself {own_id!r}")
    return provider


@lru_cache(maxsize=8)
def _offered(_path: tuple[str, ...]) -> EntryPoints:
    """What the packages on the path offer; to read all their metadata takes 10 ms."""
    return entry_points(group=GROUP)


def _load(offered: EntryPoint) -> ProviderFactory:
    try:
        factory = offered.load()
    except Exception as error:  # whatever the other package's import raises
        raise _mistake(
            f"provider {offered.name} of {_packages([offered])} ({offered.value}) "
            f"cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not callable(factory):
        raise _mistake(f"provider {offered.name}: {offered.value} is no factory")
    made: ProviderFactory = factory
    return made


def _packages(offered: Iterable[EntryPoint]) -> str:
    names = [it.dist.name if it.dist else "a package without a name" for it in offered]
    return " and ".join(sorted(names))


def _mistake(what: str) -> ConfigurationError:
    return ConfigurationError(f"providers.enabled: {what}.")
