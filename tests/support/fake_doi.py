"""A server that behaves like doi.org's REST API.

https://www.doi.org/the-identifier/resources/factsheets/doi-resolution-documentation
"""

from typing import Any
from urllib.parse import unquote

from aiohttp import web

from tests.support.fake_data_site import FakeDataSite


class FakeDoi(FakeDataSite):
    """`doi.register("10.7910/DVN/X", url)`."""

    def __init__(self) -> None:
        super().__init__()
        self._targets: dict[str, str | None] = {}

    def register(self, doi: str, target: str | None) -> None:
        """`doi` leads to `target`; with None it is registered and leads nowhere."""
        self._targets[doi.lower()] = target

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/api/handles/{doi:.+}", self._handle)]

    async def _handle(self, request: web.Request) -> web.Response:
        doi = unquote(request.match_info["doi"])
        if doi.lower() not in self._targets:
            return web.json_response({"responseCode": 100, "handle": doi}, status=404)
        target = self._targets[doi.lower()]
        values: list[dict[str, Any]] = [
            {"index": 100, "type": "HS_ADMIN", "data": {"format": "admin", "value": {"index": 1}}}
        ]
        if target is not None:
            data = {"format": "string", "value": target}
            values.insert(0, {"index": 1, "type": "URL", "data": data, "ttl": 86400})
        return web.json_response({"responseCode": 1, "handle": doi, "values": values})
