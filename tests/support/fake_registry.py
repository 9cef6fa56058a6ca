"""A server that behaves like an OCI registry, its token server and its store of layers.

Real servers on loopback, each on a port of its own; they misbehave on command. What
they check themselves (scopes, a token's life, no Authorization at the store) shows as
a refusal, as it would with a real one.
https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import asyncio
import base64
import json
import secrets
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Literal, Self

from aiohttp import web

from tests.support.registry_images import MadeImage, Manifest

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Auth = Literal["anonymous", "basic", "token"]

NAME = "binder/images"
USERNAME, PASSWORD = "member", "correct-password"


class FakeRegistry:
    """`async with FakeRegistry(auth="token") as registry`: one repository, `binder/images`."""

    def __init__(self, *, auth: Auth = "anonymous", username: str = USERNAME) -> None:
        self.auth = auth
        self._basic = _basic(username)
        self.tags: dict[str, str] = {}
        self.manifests: dict[str, Manifest] = {}
        self.blobs: dict[str, bytes] = {}
        self.calls: Counter[str] = Counter()
        """How often each operation was asked for: `ping`, `tags`, `manifest`, `blob`, `token`, …"""
        self.page_size = 1000
        self.link_forever = False
        """Each page of tags names itself as the next one."""
        self.deletes = True
        self.untag_first = False
        """Google's way: a manifest with tags is not deleted."""
        self.uploads: set[str] = set()
        """Those that were begun."""
        self.wants_to_be_made = False
        """The repository does not exist, and a push does not make it."""
        self.redirects_blobs = False
        self.store_got_authorization = False
        self.broken_digests: set[str] = set()
        """Manifests that the registry fails to read from its disk."""
        self.tells_digests = True
        self.token_answer: str | None = None
        """What the token server says instead of a token."""
        self.gives_tokens_to_all = False
        """To pull, as public registries do."""
        self.token_seconds: float | None = 300.0
        self.granted = {"pull", "push", "delete"}
        """What the member may do."""
        self.delete_action = "delete"
        """What a token must allow for a deletion; some want `*`."""
        self.challenge: str | None = None
        """`WWW-Authenticate`, when it is not the usual one."""
        self.retry_after = "0"
        self.slow: asyncio.Event | None = None
        """Manifests are answered only once this is set."""
        self._tokens: dict[str, set[str]] = {}
        self._next: dict[str, deque[int]] = {}
        self._stack = AsyncExitStack()
        self.url = self.token_url = self.store_url = ""

    @property
    def repository(self) -> str:
        """As settings name it."""
        return f"{self.url.removeprefix('http://')}/{NAME}"

    def add(self, tag: str, image: MadeImage) -> str:
        """The image is there under that tag; gives its digest."""
        self.blobs.update(image.blobs)
        self.manifests.update({manifest.digest: manifest for manifest in image.manifests})
        self.tags[tag] = image.top.digest
        return image.top.digest

    def fail_next(self, operation: str, *statuses: int) -> None:
        """The next calls of `operation` answer with these statuses."""
        self._next.setdefault(operation, deque()).extend(statuses)

    def revoke_tokens(self) -> None:
        """No token that was given out is worth anything."""
        self._tokens.clear()

    async def __aenter__(self) -> Self:
        base = f"/v2/{NAME}"
        self.url = await self._serve(
            [
                ("GET", "/v2/", self._guarded("ping", "pull", self._ping)),
                ("GET", f"{base}/tags/list", self._guarded("tags", "pull", self._list)),
                ("GET", f"{base}/manifests/{{ref}}", self._guarded("manifest", "pull", self._get)),
                ("HEAD", f"{base}/manifests/{{ref}}", self._guarded("head", "pull", self._get)),
                (
                    "DELETE",
                    f"{base}/manifests/{{ref}}",
                    self._guarded("delete", "delete", self._delete),
                ),
                ("GET", f"{base}/blobs/{{digest}}", self._guarded("blob", "pull", self._blob)),
                ("POST", f"{base}/blobs/uploads/", self._guarded("upload", "push", self._upload)),
                (
                    "DELETE",
                    f"{base}/blobs/uploads/{{upload}}",
                    self._guarded("give_up", "push", self._give_up),
                ),
            ]
        )
        self.token_url = await self._serve([("GET", "/token", self._guarded_token)])
        self.store_url = await self._serve([("GET", "/{digest}", self._store)])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _serve(self, routes: list[tuple[str, str, Handler]]) -> str:
        app = web.Application()
        for method, path, handler in routes:
            app.router.add_route(method, path, handler)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    def _guarded(self, operation: str, usual_action: str, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            self.calls[operation] += 1
            action = self.delete_action if usual_action == "delete" else usual_action
            failure = self._planned(operation)
            if failure is not None:
                return failure
            given = request.headers.get("Authorization", "")
            if self._knows(given):
                if action in self._actions(given):
                    return await handler(request)
                if self.auth == "basic":
                    return _error(403, "DENIED")
            return self._unauthorized(action)

        return guarded

    def _planned(self, operation: str) -> web.Response | None:
        planned = self._next.get(operation)
        if not planned:
            return None
        return _error(planned.popleft(), "TOOMANYREQUESTS", {"Retry-After": self.retry_after})

    def _knows(self, given: str) -> bool:
        if self.auth == "token":
            return given.removeprefix("Bearer ") in self._tokens
        return self.auth == "anonymous" or given == self._basic

    def _actions(self, given: str) -> set[str]:
        if self.auth == "token":
            return self._tokens[given.removeprefix("Bearer ")]
        return self.granted

    def _unauthorized(self, action: str) -> web.Response:
        challenge = self.challenge
        if challenge is None and self.auth == "basic":
            challenge = 'Basic realm="registry"'
        if challenge is None:
            challenge = (
                f'Bearer realm="{self.token_url}/token",service="registry.example.org",'
                f'scope="repository:{NAME}:{action}",error="invalid_token"'
            )
        return _error(401, "UNAUTHORIZED", {"WWW-Authenticate": challenge})

    async def _guarded_token(self, request: web.Request) -> web.Response:
        self.calls["token"] += 1
        failure = self._planned("token")
        if failure is not None:
            return failure
        granted = self.granted
        if self.gives_tokens_to_all and "Authorization" not in request.headers:
            granted = {"pull"}
        elif request.headers.get("Authorization") != self._basic:
            return _error(401, "UNAUTHORIZED")
        if self.token_answer is not None:
            return web.Response(text=self.token_answer, content_type="application/json")
        resource, name, actions = request.query["scope"].split(":")
        if (resource, name, request.query["service"]) != (
            "repository",
            NAME,
            "registry.example.org",
        ):
            return _error(400, "UNSUPPORTED")
        token = secrets.token_hex(16)
        self._tokens[token] = set(actions.split(",")) & granted
        return web.json_response({"token": token, "expires_in": self.token_seconds})

    async def _ping(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def _list(self, request: web.Request) -> web.Response:
        if not self.manifests and not self.tags:
            return _error(404, "NAME_UNKNOWN")
        last, most = request.query.get("last", ""), int(request.query["n"])
        tags = sorted(tag for tag in self.tags if tag > last)
        page = tags[: min(most, self.page_size)]
        headers = {}
        if self.link_forever:
            headers["Link"] = f'<{request.path_qs}>; rel="next"'
        elif len(page) < len(tags):
            # Some give the whole URL, with the name that they have for themselves.
            headers["Link"] = (
                f"<http://registry.example.org/v2/{NAME}/tags/list?n={most}&last={page[-1]}>; "
                'rel="next"'
            )
        return web.json_response({"name": NAME, "tags": page or None}, headers=headers)

    async def _get(self, request: web.Request) -> web.Response:
        if self.slow is not None:
            await self.slow.wait()
        reference = request.match_info["ref"]
        if self.tags.get(reference, reference) in self.broken_digests:
            return _error(500, "UNKNOWN")
        manifest = self._manifest(request)
        if manifest is None:
            return _error(404, "MANIFEST_UNKNOWN")
        if manifest.media_type not in request.headers["Accept"]:
            return _error(404, "MANIFEST_UNKNOWN")
        headers = {"Docker-Content-Digest": manifest.digest} if self.tells_digests else {}
        return web.Response(body=manifest.body, content_type=manifest.media_type, headers=headers)

    def _manifest(self, request: web.Request) -> Manifest | None:
        reference = request.match_info["ref"]
        return self.manifests.get(self.tags.get(reference, reference))

    async def _delete(self, request: web.Request) -> web.Response:
        reference = request.match_info["ref"]
        if not self.deletes:
            return _error(405, "UNSUPPORTED")
        if reference in self.tags and self.untag_first:
            del self.tags[reference]
            return web.Response(status=202)
        if reference not in self.manifests:
            return _error(404, "MANIFEST_UNKNOWN")
        tags = [tag for tag, digest in self.tags.items() if digest == reference]
        if tags and self.untag_first:
            return _error(400, "GOOGLE_MANIFEST_DANGLING_TAG")
        for tag in tags:
            del self.tags[tag]
        del self.manifests[reference]
        return web.Response(status=202)

    async def _blob(self, request: web.Request) -> web.Response:
        digest = request.match_info["digest"]
        if digest not in self.blobs:
            return _error(404, "BLOB_UNKNOWN")
        if self.redirects_blobs:
            return web.Response(status=307, headers={"Location": f"{self.store_url}/{digest}"})
        return web.Response(body=self.blobs[digest])

    async def _upload(self, _: web.Request) -> web.Response:
        if self.wants_to_be_made:
            return _error(404, "NAME_UNKNOWN")
        upload = secrets.token_hex(4)
        self.uploads.add(f"{upload}?_state=begun")
        location = f"http://registry.example.org/v2/{NAME}/blobs/uploads/{upload}?_state=begun"
        return web.Response(status=202, headers={"Location": location})

    async def _give_up(self, request: web.Request) -> web.Response:
        self.uploads.discard(f"{request.match_info['upload']}?{request.query_string}")
        return web.Response(status=204)

    async def _store(self, request: web.Request) -> web.Response:
        self.calls["store"] += 1
        failure = self._planned("store")
        if failure is not None:
            return failure
        if "Authorization" in request.headers:  # S3 refuses two ways of authorization as well
            self.store_got_authorization = True
            return web.Response(status=400, text="Only one auth mechanism allowed")
        return web.Response(body=self.blobs[request.match_info["digest"]])


def _basic(username: str) -> str:
    return f"Basic {base64.b64encode(f'{username}:{PASSWORD}'.encode()).decode()}"


def _error(status: int, code: str, headers: dict[str, str] | None = None) -> web.Response:
    body = json.dumps({"errors": [{"code": code, "message": "on command"}]})
    return web.Response(status=status, text=body, content_type="application/json", headers=headers)
