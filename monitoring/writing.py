"""Where the made files go, and what is in them: a test compares them with the repository's."""

from collections.abc import Iterator
from pathlib import Path

from monitoring.dashboards import DASHBOARDS
from monitoring.rules.files import rule_files
from monitoring.sdk import make_json

CHART = Path(__file__).resolve().parent.parent / "charts" / "federation"


def made_files() -> Iterator[tuple[Path, str]]:
    """Each file below the chart, and its text."""
    for dashboard in DASHBOARDS:
        name = dashboard.uid.removeprefix("binderfed-")
        yield Path("dashboards") / f"{name}.json", make_json(dashboard)
    for name, text in rule_files():
        yield Path("rules") / name, text


def write_files(folder: Path = CHART) -> None:
    """Write all of them."""
    for path, text in made_files():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
