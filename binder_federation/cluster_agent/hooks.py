"""An institution's own code before each server's start: to look at a launch, to change it,
or to refuse it.

The setting `launch.pre_launch_hook` names an async function as `package.module:function`. It
is given a `PreLaunch` and returns the options to add for the spawner (or None), or raises
`LaunchRefused` with a sentence for the visitor. It is BinderHub's pre-launch hook in another
shape: it has no launcher to change.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import structlog

from binder_federation.binder.errors import LaunchFailed
from binder_federation.cluster_agent.stacks.base import StackNotReady
from binder_federation.runtime.errors import Fault, ServiceError

log = structlog.get_logger(__name__)

HOOK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class PreLaunch:
    """A launch whose server is about to start."""

    user: str
    """The hub's name for the visitor."""
    repository: str
    """The affinity key, `gh/owner/name`."""
    image: str
    repo_url: str
    client_address: str
    server_name: str = ""
    """Set for a visitor who is logged in: the user has several servers, and this is one."""


class LaunchRefused(ServiceError):
    """The hook says no; its message is shown. Another member may see it otherwise."""

    code: ClassVar[str] = "launch_refused"
    status: ClassVar[int] = 403
    fault: ClassVar[Fault] = Fault.MEMBER


Hook = Callable[[PreLaunch], Awaitable[Mapping[str, Any] | None]]


async def no_hook(_launch: PreLaunch) -> None:
    """Adds nothing."""


def load_hook(name: str) -> Hook:
    """The function that `name` stands for. Raises `StackNotReady` when there is none."""
    if not name:
        return no_hook
    module_name, _, function_name = name.partition(":")
    try:
        hook: Hook = getattr(importlib.import_module(module_name), function_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise StackNotReady(
            f"launch.pre_launch_hook names {name!r}, which cannot be imported.",
            advice="Write it as package.module:function, with the package installed.",
        ) from error
    if not callable(hook):
        raise StackNotReady(f"launch.pre_launch_hook names {name!r}, which is no function.")
    return hook


async def run_hook(hook: Hook, launch: PreLaunch) -> Mapping[str, Any]:
    """What the hook adds. Its own errors are the member's, and told as such."""
    try:
        async with asyncio.timeout(HOOK_SECONDS):
            return await hook(launch) or {}
    except ServiceError:
        raise
    except Exception as error:
        log.exception("pre_launch_hook_failed", repository=launch.repository)
        raise LaunchFailed("This member could not prepare the launch.") from error
