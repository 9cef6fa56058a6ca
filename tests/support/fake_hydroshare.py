"""A server that behaves like HydroShare's REST API: https://www.hydroshare.org/hsapi/.

It writes the addresses of files with http:// and a host of its own, and lists them in pages.
"""

from collections.abc import Mapping

from aiohttp import web

from tests.support.fake_data_site import FakeDataSite, StoredFile

PAGE = 2


class FakeHydroShare(FakeDataSite):
    """`hydroshare.change("f…", "2024-05-01T10:00:00.123Z", {"a.csv": "1"})`."""

    def __init__(self) -> None:
        super().__init__()
        self.resources: dict[str, tuple[str, list[StoredFile]]] = {}

    def change(self, resource: str, modified: str, files: Mapping[str, bytes | str]) -> None:
        """What the resource is from `modified` on."""
        stored = [self.store(name, content) for name, content in files.items()]
        self.resources[resource] = (modified, stored)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/hsapi/resource/{id}/scimeta/elements", self._elements),
            web.get("/hsapi/resource/{id}/files/", self._files),
            web.get("/resource/{id}/data/contents/{path:.+}", self._content),
        ]

    async def _elements(self, request: web.Request) -> web.Response:
        resource = self.resources.get(request.match_info["id"])
        if resource is None:
            return _missing()
        dates = [
            {"type": "created", "start_date": "2019-01-01T00:00:00Z", "end_date": None},
            {"type": "modified", "start_date": resource[0], "end_date": None},
        ]
        return web.json_response({"title": "A river", "dates": dates})

    async def _files(self, request: web.Request) -> web.Response:
        key = request.match_info["id"]
        if key not in self.resources:
            return _missing()
        files = self.resources[key][1]
        page = int(request.query.get("page", 1))
        shown = files[(page - 1) * PAGE : page * PAGE]
        more = f"{self.url}/hsapi/resource/{key}/files/?page={page + 1}"
        results = [
            {
                "file_name": it.name.rpartition("/")[2],
                "url": f"{self.url}/resource/{key}/data/contents/{it.name}",
                "size": len(it.content),
                "content_type": "text/plain",
            }
            for it in shown
        ]
        body = {
            "count": len(files),
            "next": more if page * PAGE < len(files) else None,
            "previous": None,
            "results": results,
        }
        return web.json_response(body)

    async def _content(self, request: web.Request) -> web.Response:
        files = self.resources[request.match_info["id"]][1]
        file = next((it for it in files if it.name == request.match_info["path"]), None)
        return _missing() if file is None else web.Response(body=file.content)


def _missing() -> web.Response:
    return web.json_response({"detail": "No resource was found for resource id"}, status=404)
