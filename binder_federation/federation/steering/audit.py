"""Who changed what, when and why: one entry for each change, kept beside the document."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MOST_ENTRIES = 10_000
"""Older ones are dropped; the log has them all (`steering_changed`)."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks for a change: the name of an admin token, or a part of the federation."""

    name: str


FEDERATION = Actor("federation")
"""What nobody asked for: it follows from the settings, or from a store that lost something."""


class AuditEntry(BaseModel):
    """One change. `revision` is that of the document which it made."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: float
    by: str
    action: str
    """A short code: `drain`, `ban`, `join` …"""
    subject: str = ""
    """A member's name, or the id of a ban, a quota or an invitation."""
    reason: str = ""
    until: float | None = None
    revision: Annotated[int, Field(ge=0)] = 0
    detail: str = ""
    """What the action needs to be understood, as one line. Never a secret."""
