"""What was decided, by this replica and the others: who was sent a launch, of which image.

A decision makes its member busier before any report says so, and its image hotter.
Replicas tell each other, so that they do not all send to whoever looks free, nor exceed a
repository's quota. Which images are being built is told as well: builds are limited, too.
"""

from collections.abc import Iterable

from binder_federation.binder.resolver import ResolvedSpec
from binder_federation.binder.spec import ImageKey
from binder_federation.federation.arrivals import Arrivals
from binder_federation.federation.limits.builds import RepositoryBuilds
from binder_federation.federation.limits.sessions import RepositorySessions
from binder_federation.federation.reports import Reports
from binder_federation.federation.shared.bus import Bus, Topic

_SENT, _GONE, _BUILDING, _BUILT = b"+", b"-", b"b", b"e"
_KEY_BYTES = 16
_NO_KEY = bytes(_KEY_BYTES)
_SEPARATOR = "\0"
"""Between the member and the affinity key of the repository."""


class Decisions:
    """Keeps count of decisions, here and elsewhere."""

    def __init__(
        self,
        *,
        bus: Bus,
        reports: Reports,
        arrivals: Arrivals,
        sessions: RepositorySessions | None = None,
        builds: RepositoryBuilds | None = None,
    ) -> None:
        self._bus = bus
        self._reports = reports
        self._arrivals = arrivals
        self._sessions = sessions
        self._builds = builds or RepositoryBuilds()

    def sent(
        self, member: str, resolved: ResolvedSpec, *, now: float, is_session: bool = True
    ) -> None:
        """This replica sends a launch to `member`, for a session or only to have it built."""
        repository = resolved.spec.affinity_key if is_session else ""
        self._sent(member, resolved.image_key, repository, now)
        self._arrivals.note(resolved.image_key, now=now, resolved=resolved)
        self._tell(_SENT, resolved.image_key, member, repository)

    def gone(self, member: str, resolved: ResolvedSpec) -> None:
        """A launch that this replica sent to `member` failed there."""
        repository = resolved.spec.affinity_key
        self._gone(member, repository)
        self._tell(_GONE, None, member, repository)

    def building(self, member: str, resolved: ResolvedSpec, *, now: float) -> None:
        """The launch that is sent to `member` is the one that it builds the image for."""
        repository = resolved.spec.affinity_key
        self._builds.begun(repository, resolved.image_key, now=now)
        self._tell(_BUILDING, resolved.image_key, member, repository)

    def built(self, image: ImageKey) -> None:
        """The image is there, or its build has failed."""
        if self._builds.ended(image):
            self._tell(_BUILT, image, "", "")

    def seen(self, images: Iterable[str]) -> None:
        """A member reports that it has these images."""
        for image in self._builds.known(images):
            self.built(image)

    def hear(self, body: bytes, *, now: float) -> None:
        """Another replica's decision."""
        kind, image = body[:1], ImageKey(body[1 : 1 + _KEY_BYTES].hex())
        text = body[1 + _KEY_BYTES :].decode("utf-8", "replace")
        member, _, repository = text.partition(_SEPARATOR)
        if kind == _SENT:
            self._sent(member, image, repository, now)
            self._arrivals.note(image, now=now)
        elif kind == _GONE:
            self._gone(member, repository)
        elif kind == _BUILDING:
            self._builds.begun(repository, image, now=now)
        elif kind == _BUILT:
            self._builds.ended(image)

    def _sent(self, member: str, image: ImageKey, repository: str, now: float) -> None:
        self._reports.note_sent(member, image, now=now)
        if self._sessions is not None and repository:
            self._sessions.sent(member, repository, now=now)

    def _gone(self, member: str, repository: str) -> None:
        self._reports.note_gone(member)
        if self._sessions is not None:
            self._sessions.gone(member, repository)

    def _tell(self, kind: bytes, image: ImageKey | None, member: str, repository: str) -> None:
        key = bytes.fromhex(image) if image else _NO_KEY
        self._bus.publish(Topic.DECISION, kind + key + f"{member}{_SEPARATOR}{repository}".encode())
