"""What changed here while the facts are being read from Redis: it is newer than they are."""

from collections.abc import Iterable


class Touched:
    """Remembers changes from the start, and from the begin of a load, until one has ended."""

    def __init__(self) -> None:
        self._facts: set[tuple[bytes, str]] | None = set()
        self._members: set[str] = set()

    def begin(self, facts: Iterable[tuple[bytes, str]]) -> None:
        """A load begins, or begins anew; `facts` are on their way to Redis."""
        self._facts = (self._facts or set()) | set(facts)

    def end(self) -> None:
        """All was read."""
        self._facts, self._members = None, set()

    def fact(self, key: bytes, member: str) -> None:
        """This fact was learned or dropped."""
        if self._facts is not None:
            self._facts.add((key, member))

    def whole(self, member: str) -> None:
        """All that the member holds was told."""
        if self._facts is not None:
            self._members.add(member)

    def is_newer(self, key: bytes, member: str) -> bool:
        """Whether what is known here must not be overwritten."""
        if self._facts is None:
            return False
        return member in self._members or (key, member) in self._facts
