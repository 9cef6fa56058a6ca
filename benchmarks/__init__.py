"""What the service can do, each measurement beside its yardstick in the same run.

`python -m benchmarks --help`. A benchmark is a module with `run(sizes) -> rows`; machines
are noisy, so it alternates with its yardstick in rounds and tells the median of the
rounds' ratios (`rounds.py`). Load is bounded, servers are on loopback.
"""
