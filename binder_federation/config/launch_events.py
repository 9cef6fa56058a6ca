"""Settings of the launch event log: one line of JSON for each launch that ended."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from binder_federation.config.providers import Section


class HandlerSettings(Section):
    """A further place for the lines: a Python logging handler."""

    make: Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
    """`package.module:name`: a class, or a function that returns a `logging.Handler`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """What it is called with."""


class LaunchEventSettings(Section):
    """Where the lines go, and what is in them. Without a place there is no log."""

    file: Path | None = None
    rotate: Literal["never", "daily"] = "never"
    """`daily` begins a new file at midnight, UTC; otherwise one that is moved away is noticed."""
    kept_files: Annotated[int, Field(ge=0)] = 0
    """With `daily`: older ones are removed; 0 keeps all."""
    stdout: bool = False
    handlers: tuple[HandlerSettings, ...] = ()
    failures: bool = True
    """Launches that failed, too. BinderHub tells only those that succeeded."""
    details: bool = True
    """Fields that BinderHub has not: `member`, `attempts`, `seconds`, `code`."""
    origin: str = ""
    """What the lines name as the host where they come from; by default its public host."""
    whole_minutes: bool = False
    """Times without seconds, as mybinder.org publishes them."""
    most_waiting: Annotated[int, Field(ge=1)] = 10_000
    """Lines that wait to be written; further ones are lost, and counted."""

    @property
    def has_place(self) -> bool:
        """Whether there is a log at all."""
        return self.file is not None or self.stdout or bool(self.handlers)


class FederationLaunchEventSettings(LaunchEventSettings):
    """Of the federation."""

    redirects: bool = False
    """With `launch.mode: redirect`: a line for each visitor who was sent to a member, told as a
    success. Otherwise the members tell how these launches ended, as they alone know it."""


class AgentLaunchEventSettings(LaunchEventSettings):
    """Of a cluster agent."""

    relayed: bool = True
    """Launches that the federation follows, too; it may have a log of its own of them."""
