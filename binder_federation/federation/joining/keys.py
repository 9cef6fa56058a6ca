"""The credentials of members that joined: derived from one key, so that none is kept anywhere.

HMAC-SHA256 of the member's name and its generation (RFC 2104). The generation only ever grows:
a credential that was replaced or revoked is never a member's again.
"""

import base64
import hmac
import os
import secrets
from pathlib import Path

from binder_federation.config.federation import FederationSettings
from binder_federation.runtime.errors import ServiceError

KEY_BYTES = 32


class JoiningIsOff(ServiceError):
    """This federation cannot take in members by invitation."""

    code = "joining_is_off"
    status = 503


class JoiningKey:
    """Makes credentials; without a key there are none."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    @property
    def is_there(self) -> bool:
        """Whether members can join."""
        return self._key is not None

    def credential(self, name: str, generation: int) -> str:
        """The credential of that generation; "", which nobody has, without a key."""
        return "" if self._key is None else member_credential(self._key, name, generation)

    def check(self) -> None:
        """Raises `JoiningIsOff`."""
        if self._key is None:
            raise JoiningIsOff(
                "Members cannot join this federation, as it has no key for their credentials.",
                advice="Set joining.key (BINDERFED_JOINING__KEY), to the same for all replicas.",
            )


def member_credential(key: str, name: str, generation: int) -> str:
    """The credential of a member's generation, 43 characters."""
    text = b"\0".join((b"binderfed member", name.encode(), str(generation).encode()))
    digest = hmac.digest(key.encode(), text, "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def find_key(settings: FederationSettings) -> JoiningKey:
    """The key of the settings, or the one beside the steering file, which is made if need be.

    Replicas that share a Redis need the same one, so there it has to be set. What one replica
    without a file keeps ends with it, and so may its key.
    """
    if settings.joining.key is not None:
        return JoiningKey(settings.joining.key.get_secret_value())
    if settings.redis is not None:
        return JoiningKey(None)
    if settings.steering.file is None:
        return JoiningKey(secrets.token_urlsafe(KEY_BYTES))
    return JoiningKey(_ensure_key(settings.steering.file))


def _ensure_key(beside: Path) -> str:
    path = beside.with_name(f"{beside.name}.key")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        key = secrets.token_urlsafe(KEY_BYTES)
        file.write(f"{key}\n")
    return key
