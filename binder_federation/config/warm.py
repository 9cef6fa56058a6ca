"""Settings of warm servers, which an agent starts before their visitors come.

See docs/warm-servers.md.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from binder_federation.config.providers import Seconds, Section

Share = Annotated[float, Field(ge=0, le=1)]


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_compiles)]


class WarmSettings(Section):
    """How many servers wait for visitors, for which images, and how long."""

    enabled: bool = True
    share: Share = 0.1
    """Of the capacity, at most so much for all warm servers together."""
    free_share: Share = 0.1
    """Of the capacity, so much stays free beside sessions and warm servers."""
    most_per_image: Annotated[int, Field(ge=1)] = 20
    least_per_hour: Annotated[float, Field(gt=0)] = 6.0
    """An image that is launched less often gets none: they would wait in vain."""
    margin: Annotated[float, Field(ge=0)] = 3.0
    """More misses fewer launches, and keeps more servers waiting."""
    memory_seconds: Seconds = 1800.0
    """A launch that was so long ago counts for a third of one now."""
    max_age_seconds: Seconds = 1800.0
    """A server that waited so long is replaced."""
    concurrent: Annotated[int, Field(ge=1)] | None = None
    """Warm servers that start at the same time; None: half of `launch.concurrent`."""
    exclude: tuple[Pattern, ...] = ()
    """Regular expressions; repositories (`gh/owner/name`) that one matches whole get none."""
