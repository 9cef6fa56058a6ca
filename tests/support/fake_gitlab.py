"""A server that behaves like GitLab: its REST API for commits, and the repositories.

https://docs.gitlab.com/api/commits/, https://docs.gitlab.com/api/rest/#redirects,
https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/
"""

import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote

from aiohttp import web

from binder_federation.config.providers import GitLabSettings
from tests.support.fake_forge import FakeForge, commit_of, conditional


class FakeGitLab(FakeForge):
    """GitLab."""

    api_path = "/api/v4"

    def __init__(self, root: Path, *, quota: int = 5000) -> None:
        super().__init__(root, quota=quota)
        self.private_token: str | None = None
        self.access_token: str | None = None
        self.without_repository: set[str] = set()
        """Projects whose files only members may see."""

    def settings(self, **further: object) -> GitLabSettings:
        """Settings of provider `gl` for this server."""
        return GitLabSettings.model_validate({"url": self.url, "api_url": self.api_url, **further})

    def is_known(self, request: web.Request) -> bool:
        """A private token, an OAuth token, or nothing."""
        oauth = None if self.access_token is None else f"Bearer {self.access_token}"
        return request.headers.get("PRIVATE-TOKEN") in (None, self.private_token) and (
            request.headers.get("Authorization") in (None, oauth)
        )

    def answer(self, request: web.Request) -> web.Response:
        """Projects and commits."""
        parts = request.raw_path.partition("?")[0].removeprefix(self.api_path).split("/")[1:]
        if len(parts) < 2 or parts[0] != "projects":
            return self.error(404, "404 Not Found")
        name = unquote(parts[1])
        if name in self.renamed:
            return self._moved(request, name)
        repository = self.repository(name)
        if repository is None:
            return self.error(404, "404 Project Not Found")
        match parts[2:]:
            case []:
                return conditional(request, {"id": 7, "path_with_namespace": name}, name)
            case ["repository", "commits", _] if name in self.without_repository:
                return self.error(403, "403 Forbidden")
            case ["repository", "commits", ref]:
                sha = commit_of(repository, unquote(ref))
                if sha is None:
                    return self.error(404, "404 Commit Not Found")
                return conditional(request, {"id": sha, "short_id": sha[:8]}, sha)
            case _:
                return self.error(404, "404 Not Found")

    def error(self, status: int, message: str) -> web.Response:
        """A message."""
        message = "401 Unauthorized" if status == 401 else message
        return web.json_response({"message": message}, status=status)

    def over_quota(self, request: web.Request, retry_after_seconds: int | None) -> web.Response:
        """Plain text."""
        answer = web.Response(status=429, text="Retry later\n")
        if retry_after_seconds is not None:
            answer.headers["Retry-After"] = str(retry_after_seconds)
        return answer

    def limit_headers(self) -> Mapping[str, str]:
        """On every answer."""
        return {
            "RateLimit-Limit": str(self.quota_limit),
            "RateLimit-Name": "throttle_unauthenticated_api",
            "RateLimit-Observed": str(self.quota_limit - max(0, self.quota)),
            "RateLimit-Remaining": str(max(0, self.quota)),
            "RateLimit-Reset": str(int(time.time()) + self.reset_in_seconds),
        }

    def _moved(self, request: web.Request, name: str) -> web.Response:
        new = self.renamed[name]
        old_address = f"{self.api_path}/projects/{quote(name, safe='')}"
        base = new if "://" in new else f"{self.api_url}/projects/{quote(new, safe='')}"
        location = base + request.raw_path.removeprefix(old_address)
        body = {"message": "Non GET methods are not allowed for moved projects"}
        return web.json_response(body, status=301, headers={"Location": location})
