"""The seam between an agent and the kind of cluster it runs on.

A stack is three things: a `Builder` that makes an image, an `ImageStore` that knows
which there are, and a `Hub`, JupyterHub with its proxy, that starts servers from
them. Everything else (one build per image, launches, quotas, reports) is above it
and the same for all stacks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from binder_federation.binder.events import Phase
from binder_federation.binder.messages import CheckRecord, ImageRecord
from binder_federation.binder.providers.base import Source
from binder_federation.binder.spec import ImageKey, LaunchSpec
from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.runtime.errors import Fault, ServiceError


class StackNotReady(ServiceError):
    """The stack cannot start on this machine; the message says what is missing."""

    code: ClassVar[str] = "stack_not_ready"
    status: ClassVar[int] = 503
    fault: ClassVar[Fault] = Fault.MEMBER


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """What to build."""

    key: ImageKey
    spec: LaunchSpec
    resolved_ref: str
    source: Source


@dataclass(frozen=True, slots=True)
class Image:
    """An image that can be launched. `reference` is what the hub is told to start."""

    key: ImageKey
    reference: str
    repository: str
    """The affinity key of its repository."""
    size_bytes: int


class BuildProgress(Protocol):
    """Where a build tells what it does."""

    def enter(self, phase: Phase, message: str) -> None:
        """The build is now at `phase`; `message` is a line for people."""

    def log(self, line: str) -> None:
        """One line of a tool's output, without its newline."""


class Builder(Protocol):
    """Makes images."""

    async def build(self, plan: BuildPlan, progress: BuildProgress) -> Image:
        """Make the image of `plan`, whole or not at all.

        Raises `BuildFailed` or `UnsupportedRepository` when the repository is to
        blame, `MemberBuildFailed` when the member is. Cancelling it leaves nothing.
        """


class ImageStore(Protocol):
    """The images that this member holds."""

    async def find(self, key: ImageKey) -> Image | None:
        """The image, if it is whole: servers can be started from it."""

    async def bring_near(self, image: Image) -> None:
        """Have it where servers start, so that the next launch fetches nothing.

        Raises `MemberBuildFailed` when that cannot be had."""

    async def list_images(self) -> Sequence[ImageRecord]:
        """All of them."""

    async def note_launch(self, key: ImageKey) -> None:
        """The image was used just now."""

    async def ensure_room(self, *, in_use: frozenset[str]) -> Sequence[ImageKey]:
        """Remove least recently launched images, from a high-water mark down to a low one,
        never one whose `reference` is `in_use`; returns what was removed."""


class Hub(Protocol):
    """JupyterHub, ready for its REST API."""

    @property
    def api_url(self) -> str:
        """`http://…/hub/api`, as the agent reaches it."""

    @property
    def api_token(self) -> str:
        """The agent's token for it."""

    @property
    def public_url(self) -> str:
        """Where users' browsers reach it, without a trailing `/`."""

    @property
    def proxy_url(self) -> str:
        """Where the agent reaches the same: out and in again is not possible everywhere."""


@dataclass(frozen=True, slots=True)
class Room:
    """What the cluster itself has left, whatever the quota says."""

    sessions: int | None = None
    """Further sessions that fit now; None when the cluster does not tell."""
    can_build: bool = True
    """Builds stop before launches do: a full disk, no place for another pod."""
    reason: str = ""
    """Why not, as a sentence."""


class Stack(Protocol):
    """One kind of cluster."""

    @property
    def builder(self) -> Builder: ...
    @property
    def images(self) -> ImageStore: ...
    @property
    def hub(self) -> Hub: ...

    @property
    def default_capacity(self) -> int:
        """Sessions that fit when the settings do not say."""

    @property
    def further_build_seconds(self) -> float:
        """What `Builder.build` may take beside `build.timeout_seconds`: until a build begins,
        and for pushing its image."""

    async def start(self) -> None:
        """Make everything ready; raises `StackNotReady`."""

    async def checks(self) -> Sequence[CheckRecord]:
        """How the stack's parts are, now; quick (cached by the caller)."""

    @property
    def room(self) -> Room:
        """As last read by `tidy`, or learned from a refusal since."""

    def note_full(self) -> None:
        """The cluster refused a server for want of room: `room` says so for a while."""

    async def tidy(self, *, known_servers: frozenset[ServerName] | None) -> None:
        """One pass, every few seconds: read what room there is; remove what nobody owns.

        `known_servers` are the hub's and those whose launch is under way; None while the hub
        does not tell, when nothing may be removed on its account.
        """

    async def aclose(self) -> None:
        """Stop what `start` started and leave no process."""
