"""Runs a module and tells where its time went: `python -m benchmarks.profiled MODULE …`.

Looks at the stack 1,400 times a second, which costs the same whatever
runs; cProfile makes small functions look ten times as dear. The list goes to the file
that BENCHMARK_PROFILE names: the share of samples in a function and what it calls, and
in the function alone.
"""

import os
import runpy
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

INTERVAL_SECONDS = 0.0007
MOST_LINES = 120


class Samples:
    """What was found on the stack."""

    def __init__(self) -> None:
        self.count = 0
        self._inclusive: Counter[str] = Counter()
        self._alone: Counter[str] = Counter()

    def take(self, _signal: int, frame: FrameType | None) -> None:
        """A handler for SIGALRM."""
        self.count += 1
        seen: set[str] = set()
        is_top = True
        while frame is not None:
            code = frame.f_code
            name = f"{'/'.join(Path(code.co_filename).parts[-2:])}:{code.co_qualname}"
            if is_top:
                self._alone[name] += 1
                is_top = False
            seen.add(name)
            frame = frame.f_back
        self._inclusive.update(seen)

    def describe(self) -> str:
        """One line for each function, the dearest first."""
        lines = [f"{self.count} samples", "  with   alone  function"]
        for name, count in self._inclusive.most_common(MOST_LINES):
            alone = self._alone[name] / self.count
            lines.append(f"{count / self.count:6.1%}  {alone:6.1%}  {name}")
        return "\n".join(lines) + "\n"


def main() -> None:
    """Run the module that the arguments name."""
    sys.argv = sys.argv[1:]
    samples = Samples()
    signal.signal(signal.SIGALRM, samples.take)
    signal.setitimer(signal.ITIMER_REAL, INTERVAL_SECONDS, INTERVAL_SECONDS)
    try:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        Path(os.environ["BENCHMARK_PROFILE"]).write_text(samples.describe(), encoding="utf-8")


if __name__ == "__main__":
    main()
