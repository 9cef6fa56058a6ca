"""The result as a picture: time to ready, builds and load over time, a line for each policy.

matplotlib is an extra (`plot`), and imported only here and only when a picture is wanted.
"""

from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from binder_federation.federation.simulation.settings import SimulationError
from binder_federation.federation.simulation.summary import Hours

SMOOTHED_HOURS = 6


def check_plot(path: Path) -> None:
    """Raise `SimulationError` when no picture could be drawn there."""
    _import_pyplot()
    if path.suffix.lower() != ".png":
        raise SimulationError(f"{path}: a picture's name must end in .png.")
    if not path.absolute().parent.is_dir():
        raise SimulationError(f"{path} cannot be written: its folder does not exist.")


def write_plot(path: Path, hours: Sequence[Hours]) -> None:
    """Draw the first seed of each policy into a PNG file."""
    pyplot = _import_pyplot()
    shown = {each.policy: each for each in reversed(hours)}
    figure, (ready, builds, load) = pyplot.subplots(
        3, 1, figsize=(10, 11), sharex=True, layout="constrained"
    )
    for policy in dict.fromkeys(each.policy for each in hours):
        _draw(shown[policy], ready, builds, load)
    ready.set_ylabel(f"time to ready, seconds\n(mean of {SMOOTHED_HOURS} hours)")
    ready.set_yscale("log")
    ready.yaxis.set_major_formatter("{x:g}")
    ready.yaxis.set_minor_formatter("{x:g}")
    builds.set_ylabel("builds so far")
    load.set_ylabel("used share of the busiest member")
    load.set_xlabel("days")
    ready.legend()
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise SimulationError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        pyplot.close(figure)


def _draw(hours: Hours, ready: Any, builds: Any, load: Any) -> None:
    days = [hour / 24 for hour in range(len(hours.builds))]
    ready.plot(days, _smooth(hours.ready_seconds), label=hours.policy.value, linewidth=1)
    builds.plot(days, list(accumulate(hours.builds)), linewidth=1)
    load.plot(days, _smooth(hours.most_used), linewidth=1)


def _smooth(values: Sequence[float | None]) -> list[float]:
    smooth = []
    for end in range(1, len(values) + 1):
        known = [value for value in values[max(0, end - SMOOTHED_HOURS) : end] if value is not None]
        smooth.append(sum(known) / len(known) if known else float("nan"))
    return smooth


def _import_pyplot() -> Any:
    try:
        import matplotlib
    except ImportError as error:
        raise SimulationError(
            "A picture needs matplotlib, which is not installed.",
            advice="Install it with: pip install 'binder-federation[plot]'",
        ) from error
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
