"""Who this agent is to its federation, just now.

From the settings (a credential that was agreed on), or from a membership, which may begin, change
and end while the agent runs. Handlers and loops ask here each time and keep no copy.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from binder_federation.cluster_agent.membership.record import Membership
from binder_federation.config.agent import AgentSettings


@dataclass(frozen=True, slots=True)
class Key:
    """A credential, and which one it is."""

    credential: str = field(repr=False)
    generation: int = 0
    """0: from the settings."""


class Identity:
    """The member's name, where its federation is, and the keys that both share."""

    def __init__(
        self,
        *,
        name: str,
        federation_url: str | None = None,
        keys: tuple[Key, ...] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._federation_url = federation_url
        self._keys = keys
        self._previous: Key | None = None
        self._previous_until = 0.0
        self._clock = clock
        self._listeners: list[Callable[[], None]] = []

    @classmethod
    def from_settings(cls, settings: AgentSettings) -> "Identity":
        """With the credential of the settings; one that is to join has none yet."""
        chosen = [settings.credential] if settings.credential is not None else []
        keys = tuple(Key(each.get_secret_value()) for each in (*chosen, *settings.old_credentials))
        return cls(
            name=settings.name,
            federation_url=settings.federation_url or settings.join.url,
            keys=keys,
        )

    @property
    def federation_url(self) -> str | None:
        """Where reports go, if anywhere."""
        return self._federation_url

    @property
    def is_known(self) -> bool:
        """Whether there is a credential: nothing can be signed or checked without."""
        return bool(self._keys)

    @property
    def signing_keys(self) -> tuple[Key, ...]:
        """The first is for signing; of the others the federation may know one, if not that."""
        return self._keys

    @property
    def accepted(self) -> tuple[str, ...]:
        """Credentials with which build tokens may be signed now."""
        keys = self._keys
        if self._previous is not None and self._clock() < self._previous_until:
            keys = (*keys, self._previous)
        return tuple(key.credential for key in keys)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each change."""
        self._listeners.append(listener)

    def take(self, membership: Membership | None, *, federation_url: str | None = None) -> None:
        """Be this member from now on, or none; `federation_url` goes over the one kept."""
        before = (self._keys, self._federation_url)
        self._previous = None
        if membership is None:
            self._keys = ()
        else:
            self._federation_url = federation_url or membership.federation_url
            self._keys = (Key(membership.credential.get_secret_value(), membership.generation),)
            if membership.previous is not None:
                self._previous = Key(membership.previous.get_secret_value())
                self._previous_until = membership.previous_until
        if (self._keys, self._federation_url) != before:
            for listener in self._listeners:
                listener()
