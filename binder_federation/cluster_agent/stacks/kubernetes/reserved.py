"""What a node keeps for a server. Pure.

Kubernetes takes a limit for the guarantee that is missing: a limit of two cores would
reserve two cores. Here a guarantee that is not set means that nothing is guaranteed.
"""

from binder_federation.config.resources import ResourceSettings

_LEAST_CORES = 0.01
_LEAST_MEMORY = "16M"


def with_guarantees(resources: ResourceSettings) -> ResourceSettings:
    """The same with a guarantee of next to nothing where there is none."""
    return resources.model_copy(
        update={
            "cpu_guarantee": resources.cpu_guarantee or _LEAST_CORES,
            "memory_guarantee": resources.memory_guarantee or _LEAST_MEMORY,
        }
    )
