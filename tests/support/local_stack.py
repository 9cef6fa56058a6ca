"""Parts of the local stack for tests: settings, plans, progress, and JupyterHub's REST API."""

import asyncio
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from binder_federation.binder.events import Phase
from binder_federation.binder.providers.base import GitSource
from binder_federation.binder.spec import LaunchSpec
from binder_federation.cluster_agent.stacks.base import BuildPlan, Hub
from binder_federation.config.agent import AgentSettings
from tests.support.git_repositories import GitRepository


def make_settings(state_dir: Path, **changes: Any) -> AgentSettings:
    """Settings of an agent that may fetch from files and from this machine."""
    providers = {
        "trusted_prefixes": [state_dir.parent.as_uri() + "/"],
        "allow_private_addresses": True,
    }
    values = {"providers": providers, "credential": "c" * 32, "name": "alpha", **changes}
    return AgentSettings(state_dir=state_dir, **values)


def make_plan(repository: GitRepository, *, ref: str = "", url: str = "") -> BuildPlan:
    """A plan to build `repository` at `ref` (its newest commit)."""
    commit = ref or repository.head()
    url = url or repository.file_url
    spec = LaunchSpec("git", url, "HEAD")
    source = GitSource(url=url, environment={"GIT_ALLOW_PROTOCOL": "file:http"})
    return BuildPlan(key=spec.image_key(commit), spec=spec, resolved_ref=commit, source=source)


@dataclass
class Progress:
    """A `BuildProgress` that remembers."""

    phases: list[Phase] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def enter(self, phase: Phase, message: str) -> None:
        self.phases.append(phase)
        self.lines.append(message)

    def log(self, line: str) -> None:
        self.lines.append(line)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@dataclass(frozen=True)
class Session:
    """One user's server, or the attempt to have one."""

    user: str
    token: str
    last_event: Mapping[str, Any]


class HubClient:
    """What a launcher asks of JupyterHub, without any patience."""

    def __init__(self, hub: Hub, client: httpx.AsyncClient) -> None:
        self.hub = hub
        self.client = client

    async def launch(self, image: str, **options: object) -> Session:
        """Make a user, start its server, follow the progress to its end."""
        user = f"demo-{secrets.token_hex(4)}"
        token = secrets.token_hex(16)
        made = await self.api("POST", f"users/{user}")
        assert made.status_code == 201, made.text
        body = {"user_options": {"image": image, "token": token, **options}}
        asked = await self.api("POST", f"users/{user}/server", json=body)
        assert asked.status_code in (201, 202), asked.text
        last: Mapping[str, Any] = {}
        # While the hub clears up after a start that failed, it says 400; then it says why.
        async with asyncio.timeout(60):
            while not last:
                last = await self._follow(user)
        return Session(user, token, last)

    async def _follow(self, user: str) -> Mapping[str, Any]:
        last: Mapping[str, Any] = {}
        url = f"{self.hub.api_url}/users/{user}/server/progress"
        async with self.client.stream("GET", url, headers=self._headers) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    last = json.loads(line.removeprefix("data:"))
        return last

    async def stop(self, session: Session) -> None:
        """Delete the server and the user."""
        for path in (f"users/{session.user}/server", f"users/{session.user}"):
            answer = await self.api("DELETE", path)
            assert answer.status_code == 204, answer.text

    async def users(self) -> list[str]:
        """The names of all users."""
        page = await self.api(
            "GET",
            "users",
            params={"offset": 0, "limit": 200},
            headers={"Accept": "application/jupyterhub-pagination+json"},
        )
        return [user["name"] for user in page.json()["items"]]

    async def api(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """One request of the hub's REST API."""
        url = f"{self.hub.api_url}/{path}"
        headers = {**self._headers, **arguments.pop("headers", {})}
        return await self.client.request(method, url, headers=headers, **arguments)

    async def visit(
        self, session: Session, path: str, *, method: str = "GET", **arguments: Any
    ) -> httpx.Response:
        """One request of the session's server, through the proxy, with its token."""
        headers = {"Authorization": f"token {session.token}", **arguments.pop("headers", {})}
        url = f"{self.hub.public_url}/user/{session.user}/{path}"
        return await self.client.request(method, url, headers=headers, **arguments)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"token {self.hub.api_token}"}
