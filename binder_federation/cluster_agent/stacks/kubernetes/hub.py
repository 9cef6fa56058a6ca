"""A JupyterHub that somebody else runs (Zero to JupyterHub): the agent has a token for it.

docs/zero-to-jupyterhub.md gives the values of that chart. Before the stack counts as
started the hub is asked who we are, and what it lets us do.
https://jupyterhub.readthedocs.io/en/stable/rbac/scopes.html
"""

from collections.abc import Collection
from typing import Any

import httpx
import structlog

from binder_federation.binder.messages import CheckRecord
from binder_federation.cluster_agent.stacks.base import StackNotReady
from binder_federation.config.stacks.kubernetes import KubernetesHubSettings
from binder_federation.runtime.tls import known_authorities

log = structlog.get_logger(__name__)

_ANSWER_SECONDS = 10.0
_CHECK_SECONDS = 2.0
_DOCS = "docs/zero-to-jupyterhub.md has the values for its chart."

NEEDED_SCOPES = {
    "list:users": "see its users",
    "read:users": "read its users",
    "read:servers": "see servers start",
    "admin:users": "make and remove users",
    "servers": "start and stop servers",
    "users:activity": "tell which servers are used",
    "admin:groups": "note which warm servers were given away",
}
"""Scope → what the agent cannot do without it."""


class ExternalHub:
    """One hub, by its addresses and our token. Raises `StackNotReady` when one is missing."""

    def __init__(self, *, settings: KubernetesHubSettings) -> None:
        if settings.api_url is None or not settings.api_token.get_secret_value():
            raise StackNotReady(
                "The external hub's address or token is not set.",
                advice="Set kubernetes.hub.api_url and kubernetes.hub.api_token.",
            )
        if settings.public_url is None:
            raise StackNotReady(
                "It is not set where browsers reach the external hub.",
                advice="Set kubernetes.hub.public_url.",
            )
        self._api_url = settings.api_url
        self._public_url = settings.public_url
        self._proxy_url = settings.proxy_url or settings.public_url
        self._api_token = settings.api_token
        self._client = httpx.AsyncClient(
            timeout=_ANSWER_SECONDS, trust_env=False, verify=known_authorities()
        )

    @property
    def api_url(self) -> str:
        """JupyterHub's REST API."""
        return self._api_url.rstrip("/")

    @property
    def api_token(self) -> str:
        """The token of the hub's service for this agent."""
        return self._api_token.get_secret_value()

    @property
    def public_url(self) -> str:
        """Where users' browsers reach the hub's proxy."""
        return self._public_url.rstrip("/")

    @property
    def proxy_url(self) -> str:
        """Where the agent reaches the hub's proxy."""
        return self._proxy_url.rstrip("/")

    async def start(self) -> None:
        """Ask who we are. Raises `StackNotReady`: the hub is silent, or lets us do too little."""
        try:
            answer = await self._client.get(
                f"{self.api_url}/user", headers={"Authorization": f"token {self.api_token}"}
            )
            known = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise StackNotReady(
                f"No JupyterHub answers at {self.api_url}.",
                advice="Check kubernetes.hub.api_url, and the hub's network policy.",
            ) from error
        if answer.status_code in (401, 403):
            raise StackNotReady(
                "The external hub does not accept the agent's token.",
                advice=f"Check kubernetes.hub.api_token. {_DOCS}",
            )
        if answer.status_code != httpx.codes.OK or not isinstance(known, dict):
            raise StackNotReady(
                f"{self.api_url} does not answer as a JupyterHub's API does "
                f"(status {answer.status_code}).",
                advice="kubernetes.hub.api_url ends in /hub/api.",
            )
        _check_scopes(known)

    async def checks(self) -> tuple[CheckRecord, ...]:
        """Whether the hub answers."""
        try:
            answer = await self._client.get(f"{self.api_url}/", timeout=_CHECK_SECONDS)
            ok = answer.status_code == httpx.codes.OK
        except httpx.HTTPError:
            ok = False
        return (
            CheckRecord(
                service="JupyterHub API", ok=ok, message="" if ok else "JupyterHub is silent."
            ),
        )

    async def aclose(self) -> None:
        """Close the connections; the hub goes on."""
        await self._client.aclose()


def missing_scopes(scopes: Collection[str]) -> list[str]:
    """Which needed scopes are not among those that a token has (with all they imply).

    A scope with a filter (`read:users!user=x`) is for some users only, so it does not count.
    """
    return [needed for needed in NEEDED_SCOPES if needed not in scopes]


def _check_scopes(known: dict[str, Any]) -> None:
    missing = missing_scopes(known.get("scopes") or [])
    if not missing:
        return
    log.error("hub_scopes_missing", scopes=missing)
    deeds = ", ".join(NEEDED_SCOPES[scope] for scope in missing)
    raise StackNotReady(
        f"The agent's token for the external hub lacks the scopes {', '.join(missing)}: "
        f"the agent could not {deeds}.",
        advice=f"Add them to the role of its service. {_DOCS}",
    )
