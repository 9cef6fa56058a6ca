"""A checklist for people, or for programs: ✓ is well, ✗ is to be mended, … is not known yet."""

import json
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console
from rich.text import Text

from binder_federation.binder.joining import JoinCheck, JoinChecks, JoinState

_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("…", "yellow")}


class Teller(Protocol):
    """Where a command tells what it finds."""

    def say(self, sentence: str) -> None:
        """One line."""

    def tell_all(self, heading: str, checks: Sequence[JoinCheck]) -> None:
        """A list."""

    def tell_state(self, name: str, checks: JoinChecks) -> None:
        """The end of it."""


class ConsoleTeller:
    """For people."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)

    def say(self, sentence: str) -> None:
        """As it is."""
        self._console.print(Text(sentence))

    def tell_all(self, heading: str, checks: Sequence[JoinCheck]) -> None:
        """A line for each; below one that is not well, what to mend."""
        self._console.print(Text(heading, style="bold"))
        for check in checks:
            mark, style = _MARKS[check.ok]
            self._console.print(Text.assemble((f"  {mark} ", style), f"{check.message}"))
            if check.advice and check.ok is not True:
                self._console.print(Text(f"    {check.advice}", style="dim"))

    def tell_state(self, name: str, checks: JoinChecks) -> None:
        """Whether it gets launches, and what comes next."""
        match checks.state:
            case JoinState.ADMITTED:
                self.say(f"{name} is admitted: launches come, few at first.")
            case JoinState.FAILED:
                self.say("Mend what is marked ✗. It is looked at again by itself, or run join.")
            case JoinState.WAITING:
                self.say("The federation has no report of this agent yet. Start it and run join.")
            case JoinState.CHECKING:
                self.say("The federation is still looking. Run join again to see more.")


class JsonTeller:
    """For programs: one object at the end."""

    def __init__(self) -> None:
        self._document: dict[str, object] = {"messages": []}
        self._messages: list[str] = []

    def say(self, sentence: str) -> None:
        """Kept."""
        self._messages.append(sentence)

    def tell_all(self, heading: str, checks: Sequence[JoinCheck]) -> None:
        """Under `local` and `federation`."""
        key = "local" if heading == "Seen from here" else "federation"
        self._document[key] = [check.model_dump() for check in checks]

    def tell_state(self, name: str, checks: JoinChecks) -> None:
        """Under `name` and `state`."""
        self._document |= {"name": name, "state": checks.state.value}

    def to_text(self) -> str:
        """All of it."""
        return json.dumps({**self._document, "messages": self._messages}, indent=2)
