"""A server that behaves like JupyterHub's REST API and proxy, and misbehaves on command.

It is the contract's other side: a real server on loopback, with users, servers
that start, an event stream of that, and `/user/<name>/api/status` as the proxy
would pass it to the server. Statuses are those of JupyterHub 5.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class FakeServer:
    """One user's server."""

    options: dict[str, Any]
    ready: bool = False
    pending: str | None = "spawn"
    failed: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    last_activity: str = ""
    is_unwanted: bool = False
    """It is forgotten when it has stopped."""
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    answers: dict[str, Any] = field(default_factory=dict)
    """What it answers of itself, by path below its own, as JSON or as bytes; other than usual."""

    def start_has_ended(self, is_well: bool) -> None:
        """The start went well, or not, unless it was stopped meanwhile."""
        if self.pending == "spawn":
            self.become(ready=is_well, failed=not is_well)

    def become(self, *, ready: bool = False, failed: bool = False) -> None:
        """The start has ended."""
        self.ready, self.failed, self.pending = ready, failed, None
        self.changed.set()


class FakeHub:
    """`async with FakeHub() as hub`; it is a `stacks.base.Hub` too."""

    api_token = "hub-token"

    def __init__(self) -> None:
        self.users: dict[str, FakeServer | None] = {}
        """All users, with their default servers."""
        self.named: dict[str, FakeServer] = {}
        """Named servers, by `user/server`: also those that ended and were not deleted."""
        self.allows_named_servers = True
        self.named_servers_per_user = 0
        """0: any number."""
        self.calls: Counter[str] = Counter()
        """How often each operation was asked for: `create_user`, `delete_server`, …"""
        self.traces: set[str] = set()
        """What requests said of the trace that they belong to."""
        self.activity: dict[str, str] = {}
        self.groups: dict[str, set[str]] = {}
        self.may_record = asyncio.Event()
        """A user joins a group only while this is set."""
        self.may_record.set()
        self.most_servers = 0
        self.starts_by_themselves = True
        """Otherwise a server starts when the test calls `finish`."""
        self.starts_fail = False
        """Starts that end by themselves end badly, with `failure`."""
        self.progress_messages = ["Server requested", "Spawning server..."]
        self.failure = "secret detail"
        """Why starts fail, in the hub's words."""
        self.answers = asyncio.Event()
        """Servers answer while this is set; the hub calls them ready before that."""
        self.answers.set()
        self.last_activity = "2026-01-02T03:04:05.000000Z"
        self.slow_to_stop = False
        self.cluster_quota_is_exceeded = False
        """A start is refused with what Kubernetes says of its quota."""
        self.always: dict[str, int] = {}
        """Operation → the status that it answers with until it is removed."""
        self._next: dict[str, deque[int]] = {}
        self.url = ""

    def fail_next(self, operation: str, *statuses: int) -> None:
        """The next calls of `operation` answer with these statuses."""
        self._next.setdefault(operation, deque()).extend(statuses)

    def finish(self, *, failed: bool = False) -> None:
        """Every server that is starting has started, or failed."""
        for server in self.servers.values():
            if server.pending == "spawn":
                server.become(ready=not failed, failed=failed)

    @property
    def servers(self) -> dict[str, FakeServer]:
        """Servers that run or start, by `user` or `user/server`."""
        return {
            name: server
            for name, server in [*self.users.items(), *self.named.items()]
            if server is not None and (server.ready or server.pending)
        }

    @property
    def api_url(self) -> str:
        return f"{self.url}/hub/api"

    @property
    def proxy_url(self) -> str:
        return self.public_url

    @property
    def public_url(self) -> str:
        return self.url

    async def __aenter__(self) -> Self:
        app = web.Application()
        user = "/hub/api/users/{name}"
        routes: list[tuple[str, str, str, Handler]] = [
            ("GET", "/hub/api/users", "list_users", self._list),
            ("POST", user, "create_user", self._create),
            ("GET", user, "user", self._get),
            ("DELETE", user, "delete_user", self._delete_user),
            ("POST", f"{user}/server", "start_server", self._start),
            ("DELETE", f"{user}/server", "delete_server", self._stop),
            ("GET", f"{user}/server/progress", "progress", self._progress),
            ("POST", f"{user}/activity", "activity", self._activity),
            ("POST", "/hub/api/groups/{group}", "create_group", self._create_group),
            ("POST", "/hub/api/groups/{group}/users", "add_to_group", self._add_to_group),
        ]
        routes += [
            (method, path.replace("/server", "/servers/{server}"), operation, handler)
            for method, path, operation, handler in routes
            if path.startswith(f"{user}/server")
        ]
        for method, path, operation, handler in routes:
            app.router.add_route(method, path, self._guarded(operation, handler))
        for path in ("api/status", "api/kernels", "api/terminals", "server-proxy/servers-info"):
            app.router.add_get(f"/user/{{name}}/{path}", self._of_server)
            app.router.add_get(f"/user/{{name}}/{{server}}/{path}", self._of_server)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self.servers.values():
            server.changed.set()
        await self._runner.cleanup()

    def _guarded(self, operation: str, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            self.calls[operation] += 1
            self.traces.add(request.headers.get("traceparent", ""))
            if request.headers.get("Authorization") != f"token {self.api_token}":
                return _error(403, "Missing or invalid credentials.")
            planned = self._next.get(operation)
            status = planned.popleft() if planned else self.always.get(operation)
            if status is not None:
                return _error(status, "misbehaving on command")
            return await handler(request)

        return guarded

    async def _list(self, request: web.Request) -> web.Response:
        offset, limit = int(request.query["offset"]), int(request.query["limit"])
        models = [self._model(name) for name in self.users]
        page = models[offset : offset + limit]
        more = {"offset": offset + limit, "limit": limit} if offset + limit < len(models) else None
        return web.json_response({"items": page, "_pagination": {"next": more}})

    async def _create(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name in self.users:
            return _error(409, f"User {name} already exists")
        self.users[name] = None
        return web.json_response(self._model(name), status=201)

    async def _get(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.users:
            return _error(404, "No such user")
        return web.json_response(self._model(name))

    async def _start(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.users:
            return _error(404, "No such user")
        refusal = self._refuse_named(request)
        if refusal is not None:
            return refusal
        name = _key(request)
        existing = self.servers.get(name)
        if existing is not None:
            if existing.pending == "spawn":
                return web.Response(status=202)
            return _error(400, f"{name} is already running")
        if self.cluster_quota_is_exceeded:
            return _error(403, 'pods "jupyter-x" is forbidden: exceeded quota: pods=200')
        body = await request.json()
        server = FakeServer(options=body["user_options"])
        self._keep(name, server)
        self.most_servers = max(self.most_servers, len(self.servers))
        if self.starts_by_themselves:
            is_well = not self.starts_fail
            asyncio.get_running_loop().call_later(0.01, server.start_has_ended, is_well)
        return web.Response(status=202)

    async def _stop(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.users:
            return _error(404, "No such user")
        name = _key(request)
        server = self._kept(name)
        if server is None:
            return _error(404, "No such server") if "/" in name else web.Response(status=204)
        body = await request.json() if request.can_read_body else {}
        server.is_unwanted = bool(body.get("remove"))
        server.ready = False
        if self.slow_to_stop and server.pending != "stop":
            server.pending = "stop"
            asyncio.get_running_loop().call_later(0.2, self._stopped, name)
            return web.Response(status=202)
        if server.pending == "stop":
            return web.Response(status=202)
        self._stopped(name)
        return web.Response(status=204)

    def _stopped(self, name: str) -> None:
        server = self._kept(name)
        if server is not None:
            server.become(failed=True)
            if "/" not in name or server.is_unwanted:
                self._keep(name, None)

    def _refuse_named(self, request: web.Request) -> web.Response | None:
        key = _key(request)
        if "/" not in key or key in self.named:
            return None
        if not self.allows_named_servers:
            return _error(400, "Named servers are not enabled.")
        user, most = request.match_info["name"], self.named_servers_per_user
        if most and sum(each.startswith(f"{user}/") for each in self.named) >= most:
            return _error(400, f"User {user} already has the maximum of {most} named servers.")
        return None

    def _kept(self, key: str) -> FakeServer | None:
        return self.named.get(key) if "/" in key else self.users.get(key)

    def _keep(self, key: str, server: FakeServer | None) -> None:
        if "/" not in key:
            self.users[key] = server
        elif server is not None:
            self.named[key] = server
        else:
            self.named.pop(key, None)

    async def _delete_user(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self.users:
            return _error(404, "No such user")
        server = self.users[name]
        if server is not None and server.pending == "stop":
            return _error(400, f"{name}'s server is in the process of stopping, please wait.")
        self._stopped(name)
        del self.users[name]
        for key in [key for key in self.named if key.startswith(f"{name}/")]:
            self._stopped(key)
            self._keep(key, None)
        for members in self.groups.values():
            members.discard(name)
        return web.Response(status=204)

    async def _progress(self, request: web.Request) -> web.StreamResponse:
        server = self._kept(_key(request))
        if server is None:
            return _error(404, "No such server")
        if not server.ready and server.pending != "spawn" and not server.failed:
            return _error(400, "is not starting...")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"\n\n")
        for number, message in enumerate(self.progress_messages):
            await _send(response, {"progress": 10 * number, "message": message})
        await server.changed.wait()
        if server.ready:
            await _send(response, {"progress": 100, "ready": True, "message": "Server ready"})
        else:
            await _send(
                response,
                {"progress": 100, "failed": True, "message": f"Spawn failed: {self.failure}"},
            )
        return response

    async def _activity(self, request: web.Request) -> web.Response:
        name, body = request.match_info["name"], await request.json()
        for server, told in body["servers"].items():
            self.activity[f"{name}/{server}".rstrip("/")] = told["last_activity"]
        return web.json_response({})

    async def _create_group(self, request: web.Request) -> web.Response:
        group = request.match_info["group"]
        if group in self.groups:
            return _error(409, f"Group {group} already exists")
        self.groups[group] = set()
        return web.json_response({"name": group, "users": []}, status=201)

    async def _add_to_group(self, request: web.Request) -> web.Response:
        group, names = request.match_info["group"], (await request.json())["users"]
        if group not in self.groups:
            return _error(404, f"No such group: {group}")
        await self.may_record.wait()
        if not set(names) <= self.users.keys():
            return _error(400, f"No such user: {names}")
        self.groups[group].update(names)
        return web.json_response({"name": group, "users": sorted(self.groups[group])})

    async def _of_server(self, request: web.Request) -> web.StreamResponse:
        path = "/".join(request.path.rsplit("/", 2)[1:])
        self.calls[path.rpartition("/")[2]] += 1
        server = self.servers.get(_key(request))
        if server is None or not server.ready or not self.answers.is_set():
            return web.Response(status=503)
        if request.headers.get("Authorization") != f"token {server.options['token']}":
            return _error(403, "Forbidden")
        usual: dict[str, Any] = {
            "api/status": {
                "started": self.last_activity,
                "last_activity": self.last_activity,
                "connections": 0,
                "kernels": 0,
            },
            "api/kernels": [],
            "api/terminals": [],
        }
        answer = (usual | server.answers).get(path)
        if answer is None:
            return _error(404, "Not Found")
        if isinstance(answer, bytes):
            return web.Response(body=answer)
        return web.json_response(answer)

    def _model(self, name: str) -> dict[str, Any]:
        servers = {}
        for key, server in self.servers.items():
            user, _, server_name = key.partition("/")
            if user != name:
                continue
            servers[server_name] = {
                "name": server_name,
                "ready": server.ready,
                "pending": server.pending,
                "stopped": False,
                "started": server.started.isoformat(),
                "url": f"/user/{key}/",
                "user_options": server.options,
            }
        created = datetime.now(UTC).isoformat()
        return {
            "kind": "user",
            "name": name,
            "created": created,
            "groups": [group for group, members in self.groups.items() if name in members],
            "servers": servers,
        }


def _key(request: web.Request) -> str:
    """The server that is asked for: `user` or `user/server`."""
    return "/".join(filter(None, map(request.match_info.get, ("name", "server"))))


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"status": status, "message": message}, status=status)


async def _send(response: web.StreamResponse, event: dict[str, Any]) -> None:
    await response.write(f"data: {json.dumps(event)}\n\n".encode())
