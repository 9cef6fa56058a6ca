"""Runs a module under cProfile: `python -m benchmarks.profiled MODULE ARGUMENTS…`.

The profile goes to the file that BENCHMARK_PROFILE names, when the module ends.
"""

import cProfile
import os
import runpy
import sys

if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    profile = cProfile.Profile()
    try:
        profile.runcall(runpy.run_module, sys.argv[0], run_name="__main__", alter_sys=True)
    finally:
        profile.dump_stats(os.environ["BENCHMARK_PROFILE"])
