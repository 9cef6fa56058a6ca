"""Names of metrics inside of queries, with the labels that every query of a dashboard needs.

Each replica exports the series of all members, so a number about a member is there once for each
replica: `max`, `min` or `avg` over `instance` before anything is summed over members. What a
replica counts itself (launches, decisions, answers) is summed.
"""

from binder_federation.binder.errors import QuotaExceeded, RepositoryQuotaExceeded
from binder_federation.runtime.errors import Fault, ServiceError

FEDERATION = 'job=~"$job",namespace=~"$namespace"'
"""Of one federation: of several replicas, each with its own `instance`."""
GROUP = "namespace, job"
"""The same in rules, which have no variables: `namespace` is there in Kubernetes alone."""
WELL = "up|degraded|recovering"
RATE = "$__rate_interval"
RANGE = "$__range"


def metric(name: str, labels: str = "") -> str:
    """`binderfed_<name>` of this dashboard's federation, with further matchers."""
    return f"binderfed_{name}{{{FEDERATION}{',' if labels else ''}{labels}}}"


def rate(name: str, labels: str = "") -> str:
    """A counter's growth per second."""
    return f"rate({metric(name, labels)}[{RATE}])"


def increase(name: str, labels: str = "") -> str:
    """A counter's growth in the time that the dashboard shows."""
    return f"increase({metric(name, labels)}[{RANGE}])"


def not_ours() -> str:
    """A regular expression of launches' outcomes that are nobody's failure here.

    The visitor's or the repository's mistakes, what was given up, and quotas: full is not unwell.
    """
    codes = {"given_up", "none", QuotaExceeded.code, RepositoryQuotaExceeded.code}
    codes |= {
        error.code
        for error in _all_errors(ServiceError)
        if error.fault in (Fault.REQUEST, Fault.REPOSITORY)
        and error.__module__ == QuotaExceeded.__module__  # whatever else is imported
    }
    return "|".join(sorted(codes))


def _all_errors(base: type[ServiceError]) -> set[type[ServiceError]]:
    below = set(base.__subclasses__())
    return below.union(*(_all_errors(each) for each in below))
