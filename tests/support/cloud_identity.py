"""Where a cloud's machines learn who they are: Google's metadata server, AWS's ECR API.

Real servers on loopback that check what the real ones check: Google's header, AWS's
operation and the presence of a signature.
"""

import base64
import re
from abc import ABC, abstractmethod
from collections import deque
from typing import Any, Self

from aiohttp import web

SIGNATURE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>\w+)/\d{8}/(?P<region>[a-z0-9-]+)/ecr/aws4_request, .+"
)


class LoopbackServer(ABC):
    """One handler on a loopback port; counts and keeps what it was asked."""

    def __init__(self) -> None:
        self.calls = 0
        self.url = ""
        self._next: deque[web.Response] = deque()

    def answer_next(self, status: int, text: str = "") -> None:
        """The next request gets this, whatever it asks."""
        self._next.append(web.Response(status=status, text=text))

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        self.calls += 1
        if self._next:
            return self._next.popleft()
        return await self.answer(request)

    @abstractmethod
    async def answer(self, request: web.Request) -> web.Response:
        """What it is there for."""


class FakeMetadata(LoopbackServer):
    """A machine with a service account, in Google's cloud."""

    def __init__(self) -> None:
        super().__init__()
        self.access_token = "correct-password"
        self.expires_in = 3600

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers.get("Metadata-Flavor") != "Google":
            return web.Response(status=403)
        if request.path != "/computeMetadata/v1/instance/service-accounts/default/token":
            return web.Response(status=404)
        return web.json_response(
            {
                "access_token": self.access_token,
                "expires_in": self.expires_in,
                "token_type": "Bearer",
            }
        )


class FakeEcr(LoopbackServer):
    """The ECR API of one region."""

    def __init__(self, *, expires_at: float) -> None:
        super().__init__()
        self.expires_at = expires_at
        self.signed: list[dict[str, str]] = []
        """Access key and region of each request."""

    def refuse_next(self, status: int, code: str) -> None:
        """The next request gets this error of AWS's."""
        self.answer_next(status, f'{{"__type": "{code}", "message": "on command"}}')

    async def answer(self, request: web.Request) -> web.Response:
        signature = SIGNATURE.fullmatch(request.headers.get("Authorization", ""))
        operation = request.headers.get("X-Amz-Target", "")
        if signature is None or not operation.endswith(".GetAuthorizationToken"):
            return web.json_response({"__type": "MissingAuthenticationToken"}, status=400)
        self.signed.append(signature.groupdict())
        token = base64.b64encode(b"AWS:correct-password").decode()
        data: dict[str, Any] = {"authorizationToken": token, "expiresAt": self.expires_at}
        return web.json_response({"authorizationData": [data]})
