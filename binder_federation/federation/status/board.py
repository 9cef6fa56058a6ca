"""The report as it is shown, made at most once a second: a crowd costs nothing."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from binder_federation.federation.status.body import status_body
from binder_federation.federation.status.report import StatusReport
from binder_federation.federation.status.words import iso

KEPT_SECONDS = 1.0
KEPT_SECONDS_PER_MEMBER = 0.005
"""The page of a thousand members takes a third of a second to render; it is five seconds old."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One report, and what it is written as."""

    report: StatusReport
    body: bytes
    """JSON."""
    etag: str
    """Another one when something is told that was not told before; weak, as the time of the
    report is left out."""


class StatusBoard:
    """Has the present report."""

    def __init__(
        self, *, gather: Callable[[float], StatusReport], clock: Callable[[], float]
    ) -> None:
        self._gather = gather
        self._clock = clock
        self._shown: Shown | None = None
        self._page: tuple[Shown, str] | None = None

    def show(self) -> Shown:
        """The report, a second old at most (of many members, five per thousand)."""
        now = self._clock()
        shown = self._shown
        if shown is None or not 0 <= now - shown.report.at < _kept_seconds(shown.report):
            shown = self._shown = make_shown(self._gather(now))
        return shown

    def page(self, shown: Shown, render: Callable[[StatusReport], str]) -> str:
        """The report as a page, which is rendered once."""
        if self._page is None or self._page[0] is not shown:
            self._page = (shown, render(shown.report))
        return self._page[1]


def _kept_seconds(report: StatusReport) -> float:
    return max(KEPT_SECONDS, KEPT_SECONDS_PER_MEMBER * len(report.members))


def make_shown(report: StatusReport) -> Shown:
    """The report with its JSON and its tag."""
    told = status_body(report)
    text = json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()
    # Durations are told by the minute, on the page and in the titles.
    digest = hashlib.sha256(b"%d" % (report.at // 60) + text).hexdigest()[:20]
    whole = {"generated_at": iso(report.at), **told}
    body = json.dumps(whole, separators=(",", ":"), ensure_ascii=False).encode()
    return Shown(report, body, f'W/"{digest}"')
