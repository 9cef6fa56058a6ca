"""Draining at the institution's own word: no new launches, those that run stay.

`binderfed-agent drain` asks the agent (handlers/drain.py); a file in the state folder keeps
the word over a restart. The federation hears of it with the next report, which is sent
at once; a launch that was sent here in that moment is refused, and goes elsewhere.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from binder_federation.binder.errors import QuotaExceeded

log = structlog.get_logger(__name__)

LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Drain:
    """Why, in the operator's words (may be empty)."""

    reason: str


class Draining:
    """Whether this member drains. `on_change` is told of each change."""

    def __init__(self, *, state_dir: Path) -> None:
        self._file = state_dir / "drain.json"
        self._drain = _read(self._file)
        self._listeners: list[Callable[[], None]] = []

    @property
    def current(self) -> Drain | None:
        """The drain that is in force, if any."""
        return self._drain

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever draining begins or ends."""
        self._listeners.append(listener)

    def begin(self, reason: str) -> None:
        """From now on no launches; a second word replaces the reason."""
        drain = Drain(reason[:LONGEST_REASON])
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps({"reason": drain.reason}), encoding="utf-8")
        new.replace(self._file)
        self._set(drain)

    def end(self) -> None:
        """Launches come again; ending what is not in force is no error."""
        self._file.unlink(missing_ok=True)
        self._set(None)

    def refuse_launches(self) -> None:
        """Raises `QuotaExceeded` while it drains: the launch goes to another member."""
        if self._drain is not None:
            raise QuotaExceeded(
                "This member takes no new launches now.", advice="Another member may take it."
            )

    def _set(self, drain: Drain | None) -> None:
        if drain == self._drain:
            return
        self._drain = drain
        log.info("draining_changed", draining=drain is not None, reason=drain and drain.reason)
        for listener in self._listeners:
            listener()


def _read(file: Path) -> Drain | None:
    """A file that cannot be read was a drain all the same."""
    try:
        return Drain(str(json.loads(file.read_text(encoding="utf-8"))["reason"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        log.warning("drain_file_unreadable", file=str(file))
        return Drain("")
