"""The headers `traceparent` and `tracestate`: which trace a request is part of.

https://www.w3.org/TR/trace-context/ . What is malformed is as if it was not there. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MOST_STATE = 512
"""Longer lists of other systems' notes are not passed on; the standard lets us."""
_PARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    r"(?P<more>-.*)?"
)
_STATE_MEMBER = re.compile(
    r"[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
MOST_STATE_MEMBERS = 32


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A place in a trace. Ids are hexadecimal, as in the header."""

    trace_id: str
    span_id: str
    flags: str = "00"
    state: str = ""
    """What other systems noted (`tracestate`)."""

    @property
    def is_sampled(self) -> bool:
        """Whether whoever began the trace records it."""
        return bool(int(self.flags, 16) & 1)

    def headers(self) -> dict[str, str]:
        """What a request that belongs to it carries."""
        headers = {"traceparent": f"00-{self.trace_id}-{self.span_id}-{self.flags}"}
        if self.state:
            headers["tracestate"] = self.state
        return headers


def read_trace(headers: Mapping[str, str]) -> TraceContext | None:
    """The trace that a request with these headers belongs to; None when it names none well."""
    given = headers.get("traceparent")
    if given is None or len(given) > MOST_STATE:
        return None
    found = _PARENT.fullmatch(given.strip(" \t"))
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["more"]):
        return None
    if set(found["trace"]) == {"0"} or set(found["span"]) == {"0"}:
        return None
    # A later version may have further flags; of ours one bit has a meaning.
    flags = "01" if int(found["flags"], 16) & 1 else "00"
    state = _read_state(headers.get("tracestate", ""))
    return TraceContext(found["trace"], found["span"], flags, state)


def _read_state(given: str) -> str:
    if len(given) > MOST_STATE:
        return ""
    members = [each.strip(" \t") for each in given.split(",") if each.strip(" \t")]
    names = [each.partition("=")[0] for each in members]
    is_well = (
        len(members) <= MOST_STATE_MEMBERS
        and len(set(names)) == len(names)
        and all(_STATE_MEMBER.fullmatch(each) for each in members)
    )
    return ",".join(members) if is_well else ""
