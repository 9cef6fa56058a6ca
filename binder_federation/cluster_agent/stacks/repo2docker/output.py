"""What a build's process tells: one JSON object a line, on its standard output.

    {"phase": "fetching", "message": "Fetching gh/owner/name at 1234…"}
    {"phase": "building", "message": "Step 3/9 : RUN …"}
    {"phase": "pushing", "progress": {"layers": 9, "done": 4, "bytes": 52000, "total_bytes": 93000}}
    {"phase": "built", "size_bytes": 93000}
    {"phase": "failed", "fault": "repository", "message": "…", "advice": "…"}

The last line is `built` or `failed`. A line that is no such object is output of a tool
and is shown as it is: a log that is cut in the middle must not end a build.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from binder_federation.binder.errors import BuildFailed, MemberBuildFailed
from binder_federation.binder.events import Phase
from binder_federation.runtime.errors import Fault, ServiceError

LONGEST_LINE = 4000


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `phase` None: a tool's own words."""

    phase: Phase | None
    message: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_last(self) -> bool:
        """The build ended with it."""
        return self.phase in (Phase.BUILT, Phase.FAILED)

    def error(self) -> ServiceError:
        """What a `failed` line says, as the error to raise."""
        advice = str(self.fields.get("advice", ""))
        message = self.message or "The build failed; it does not say why."
        if self.fields.get("fault") == Fault.REPOSITORY.value:
            return BuildFailed(message, advice=advice)
        return MemberBuildFailed(message, advice=advice)


def write_line(phase: Phase, message: str = "", **fields: Any) -> str:
    """The line, without its newline."""
    return json.dumps({"phase": phase.value, "message": message[:LONGEST_LINE], **fields})


def read_line(text: str) -> Line:
    """What `text` says; whatever it is, it is a line."""
    try:
        content = json.loads(text)
        phase = Phase(content.pop("phase"))
        message = str(content.pop("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Line(None, text.rstrip()[:LONGEST_LINE])
    return Line(phase, message, content)
