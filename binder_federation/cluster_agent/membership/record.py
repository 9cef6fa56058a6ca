"""What an agent keeps of its membership: small, secret, and all that a restart needs.

Neighbours: `stores/` keeps it, `keeper.py` changes it.
"""

import secrets
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from binder_federation.runtime.errors import Fault, ServiceError

PREVIOUS_SECONDS = 600.0
"""Build tokens signed with the credential of before are taken for so long after a rotation."""


class RecordUnreadable(ServiceError):
    """What was kept is damaged."""

    code = "membership_unreadable"
    fault = Fault.MEMBER


class Membership(BaseModel):
    """One federation's member."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    federation_url: str
    credential: SecretStr
    generation: int = 1
    previous: SecretStr | None = None
    previous_until: float = 0.0
    """Seconds since 1970."""

    def renewed(self, credential: str, *, generation: int, now: float) -> "Membership":
        """The same member with another credential."""
        return self.model_copy(
            update={
                "credential": SecretStr(credential),
                "generation": generation,
                "previous": self.credential,
                "previous_until": now + PREVIOUS_SECONDS,
            }
        )


class MembershipRecord(BaseModel):
    """The whole of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    agent_id: str
    """Random, made before joining: by it the federation knows the same agent that asks again."""
    invitation: str = ""
    """The id of the token that was used, so that it is not used again."""
    membership: Membership | None = None

    @classmethod
    def new(cls) -> Self:
        """Of an agent that never joined."""
        return cls(agent_id=secrets.token_urlsafe(24))

    @classmethod
    def from_text(cls, text: str, *, where: str) -> Self:
        """Read it; raises `RecordUnreadable`, which names the place and shows nothing of it."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise RecordUnreadable(
                f"The membership kept in {where} cannot be read.",
                advice="Restore it, or remove it and ask for a new invitation.",
            ) from error

    def to_text(self) -> str:
        """JSON, with the secrets in clear: for a private place only."""
        return _Clear(**_clear(self.model_dump(exclude_none=True))).model_dump_json(indent=2)


class _Clear(BaseModel):
    model_config = ConfigDict(extra="allow")


def _clear(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {name: _clear(each) for name, each in value.items()}
    return value
