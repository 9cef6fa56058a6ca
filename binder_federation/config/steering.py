"""Settings of the live orders: where they are kept."""

from pathlib import Path

from binder_federation.config.providers import Section


class SteeringSettings(Section):
    """Weights, drains, bans, quotas and members that operators changed live.

    With `redis` they are kept there for all replicas. Without Redis and without a file they end
    with the process.
    """

    file: Path | None = None
    """Kept here, for the federation's one replica. With `redis`, each replica's own copy, from
    which a Redis that has lost everything gets it back."""
