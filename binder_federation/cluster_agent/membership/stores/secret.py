"""A membership in a Kubernetes Secret, which outlives the agent's pod and its volume.

The chart makes the Secret, empty, and lets the agent read and replace that one alone. It is
replaced as it was read (resourceVersion), so two agents cannot overwrite each other unawares.
"""

from base64 import b64decode, b64encode
from typing import Any

from binder_federation.cluster_agent.membership.record import MembershipRecord, RecordUnreadable
from binder_federation.cluster_agent.stacks.kubernetes.client import KubernetesApi
from binder_federation.runtime.errors import Fault, ServiceError

KEY = "membership.json"


class SecretMissing(ServiceError):
    """There is no such Secret."""

    code = "membership_secret_missing"
    fault = Fault.MEMBER


class SecretStore:
    """One key of one Secret of the agent's namespace."""

    poll_seconds = 15.0

    def __init__(self, *, api: KubernetesApi, name: str) -> None:
        self._api = api
        self._name = name

    async def load(self) -> MembershipRecord | None:
        """Raises `ClusterError`s, `SecretMissing` and `RecordUnreadable`."""
        kept = ((await self._read()).get("data") or {}).get(KEY)
        if not kept:
            return None
        where = f"the Secret {self._name}"
        try:
            text = b64decode(kept).decode()
        except ValueError as error:
            raise RecordUnreadable(f"The membership kept in {where} cannot be read.") from error
        return MembershipRecord.from_text(text, where=where)

    async def save(self, record: MembershipRecord) -> None:
        """Replace it; raises `ClusterRefused` when somebody else did so in between."""
        secret = await self._read()
        content = b64encode(record.to_text().encode()).decode()
        secret["data"] = {**(secret.get("data") or {}), KEY: content}
        await self._api.replace_secret(self._name, secret)

    async def aclose(self) -> None:
        """Close the connections to the cluster."""
        await self._api.aclose()

    async def _read(self) -> dict[str, Any]:
        secret = await self._api.read_secret(self._name)
        if secret is None:
            raise SecretMissing(
                f"There is no Secret {self._name}, in which the membership is kept.",
                advice="The chart cluster-agent makes it; run helm upgrade once more.",
            )
        return secret
