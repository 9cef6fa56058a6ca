"""A launch event log as a trace: mybinder.org's public archive, or our own (docs/launch-events.md).

Each line is a JSON object with `timestamp`, `provider` and `spec`; whatever else it has is not
looked at. Lines need not be in order: launches end in another order than they begin.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

WITHOUT_REF = frozenset({"Zenodo", "Figshare", "Dataverse", "Hydroshare", "CKAN"})
"""Their specs name no ref."""

Row = tuple[int, str, str]
"""Minute since 1970, repository, spec."""


def read_launch_lines(lines: Iterable[str]) -> list[Row]:
    """The launches, in time order. Raises `ValueError` with the number of a line that is none."""
    return sorted(_rows(lines), key=lambda row: row[0])


def _rows(lines: Iterable[str]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _row(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"line {number}") from error


def _row(body: dict[str, str]) -> Row:
    provider, spec = body["provider"], body["spec"]
    moment = datetime.fromisoformat(body["timestamp"].removesuffix("Z"))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() // 60), f"{provider}/{_repository(provider, spec)}", spec


def _repository(provider: str, spec: str) -> str:
    """The spec without its ref, which may hold slashes for GitHub."""
    if provider in WITHOUT_REF:
        return spec.casefold()
    if provider == "GitHub":
        return "/".join(spec.split("/")[:2]).casefold()
    return spec.rpartition("/")[0].casefold() or spec.casefold()
