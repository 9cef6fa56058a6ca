"""The federation's metrics, in a registry of their own. Labels are bounded: no repositories.

Counters and histograms are written as things happen (`counting.py`); what a member or this
replica *is* just now is read when Prometheus asks (`members.py`, `replica.py`), so nothing is
left behind of a member that is gone. Neighbours: `health/metrics.py`, `shared/metrics.py`,
`redirector/metrics.py`. All of them are listed in docs/metrics.md.
"""

from binder_federation.federation.metrics.counting import NOBODY, FederationMetrics

__all__ = ["NOBODY", "FederationMetrics"]
