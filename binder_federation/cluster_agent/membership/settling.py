"""Whether settings are enough to serve with, given what was kept of joining.

The name must be known before the stack starts: it is in the labels of what the stack makes.
"""

from binder_federation.cluster_agent.membership.stores.file import FileStore
from binder_federation.config.agent import AgentSettings
from binder_federation.config.load import ConfigurationError


def settle(settings: AgentSettings) -> AgentSettings:
    """The settings with the member's name. Raises `ConfigurationError` when there is neither a
    credential nor a way to one, and `RecordUnreadable`."""
    if settings.credential is not None:
        return settings
    kept = None if settings.join.secret else FileStore(state_dir=settings.state_dir).read()
    membership = kept.membership if kept else None
    if membership is None and settings.join.url is None:
        raise ConfigurationError(
            "In the settings: credential: missing. There is neither an invitation (join) "
            f"nor a membership in {settings.state_dir}.",
            advice="To join a federation: binderfed-agent join URL TOKEN.",
        )
    if "name" in settings.model_fields_set:
        return settings
    if membership is None:
        raise ConfigurationError(
            "In the settings: name: missing.", advice="Set the name that the invitation is for."
        )
    return settings.model_copy(update={"name": membership.name})
