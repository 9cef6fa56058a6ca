"""A server that behaves like CKAN's action API: https://docs.ckan.org/en/latest/api/."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.support.fake_data_site import FakeDataSite


class FakeCkan(FakeDataSite):
    """`ckan.change("rivers", "2024-05-01T10:00:00.5", {"a.csv": "1"})` gives an activity's id.

    It may lie below a path, as sites with languages do (`place`).
    """

    def __init__(self, *, place: str = "") -> None:
        super().__init__()
        self.place = place
        self.private: set[str] = set()
        self._now: dict[str, dict[str, Any]] = {}
        self._activities: dict[str, dict[str, Any]] = {}

    def page(self, dataset: str) -> str:
        return f"{self.url}{self.place}/dataset/{dataset}"

    def change(
        self,
        dataset: str,
        modified: str,
        files: Mapping[str, bytes | str],
        *,
        links: tuple[str, ...] = (),
    ) -> str:
        """What the dataset is from `modified` on; the id of that activity."""
        stored = [self.store(name, content) for name, content in files.items()]
        urls = [(it.number, f"{self.url}/files/{it.number}/{it.name}") for it in stored]
        urls += [(100 + number, link) for number, link in enumerate(links)]
        self._now[dataset] = {
            "id": f"id-of-{dataset}",
            "name": dataset,
            "metadata_modified": modified,
            "resources": [
                {"id": f"resource-{number}", "url": url, "name": "", "size": None, "hash": ""}
                for number, url in urls
            ],
        }
        activity = f"00000000-0000-4000-8000-{len(self._activities):012}"
        self._activities[activity] = self._now[dataset]
        return activity

    def routes(self) -> list[web.RouteDef]:
        api = f"{self.place}/api/3/action"
        return [
            web.get(f"{api}/package_show", self._package),
            web.get(f"{api}/activity_data_show", self._activity),
            web.get("/files/{number}/{name:.*}", self._serve_file),
        ]

    async def _package(self, request: web.Request) -> web.Response:
        name = request.query["id"]
        if name in self.private:
            return _error(403, "Authorization Error", "Access denied")
        return _answer(self._now.get(name))

    async def _activity(self, request: web.Request) -> web.Response:
        assert request.query["object_type"] == "package"
        return _answer(self._activities.get(request.query["id"]))


def _answer(result: dict[str, Any] | None) -> web.Response:
    if result is None:
        return _error(404, "Not Found Error", "Not found")
    return web.json_response({"help": "…", "success": True, "result": result})


def _error(status: int, kind: str, message: str) -> web.Response:
    body = {"success": False, "error": {"__type": kind, "message": message}}
    return web.json_response(body, status=status)
