"""A server that behaves like Zenodo (InvenioRDM): records, versions, files, rate limits.

https://developers.zenodo.org/#records and #rate-limiting. The id of all versions (the
concept) redirects to the latest one.
"""

from collections.abc import Mapping

from aiohttp import web

from tests.support.fake_data_site import FakeDataSite, StoredFile, window_end


class FakeZenodo(FakeDataSite):
    """`zenodo.publish(100, 101, {"data.csv": "1"})` is a version of the concept 100."""

    def __init__(self) -> None:
        super().__init__()
        self.left = 60
        self._records: dict[str, list[StoredFile]] = {}
        self._latest: dict[str, str] = {}
        self._concepts: dict[str, str] = {}
        self.hidden: set[str] = set()
        """Records whose files are not public."""

    def publish(self, concept: int, record: int, files: Mapping[str, bytes | str]) -> str:
        """A new version; its DOI."""
        self._records[str(record)] = [self.store(name, data) for name, data in files.items()]
        self._latest[str(concept)] = str(record)
        self._concepts[str(record)] = str(concept)
        return f"10.5281/zenodo.{record}"

    def limit_headers(self) -> dict[str, str]:
        self.left -= 1
        return {
            "X-RateLimit-Limit": "60",
            "X-RateLimit-Remaining": str(self.left),
            "X-RateLimit-Reset": window_end(60),
        }

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/records/{id}", self._record),
            web.get("/api/records/{id}/files", self._files),
        ]

    async def _record(self, request: web.Request) -> web.Response:
        record = request.match_info["id"]
        if record in self._latest:
            location = f"/api/records/{self._latest[record]}"
            return web.Response(status=302, headers={"Location": location})
        if record not in self._records:
            return _missing()
        body = {
            "id": int(record),
            "conceptrecid": self._concepts[record],
            "doi": f"10.5281/zenodo.{record}",
            "metadata": {"title": "Some data"},
            "links": {"files": f"{self.url}/api/records/{record}/files"},
        }
        return web.json_response(body, headers={"ETag": '"3"'})

    async def _files(self, request: web.Request) -> web.Response:
        record = request.match_info["id"]
        if record in self.hidden:
            return web.json_response({"status": 403, "message": "Permission denied."}, status=403)
        if record not in self._records:
            return _missing()
        entries = [
            {
                "key": file.name,
                "size": len(file.content),
                "checksum": f"md5:{file.md5}",
                "mimetype": "application/octet-stream",
                "status": "completed",
                "links": {"self": self.file_url(file), "content": self.file_url(file)},
            }
            for file in self._records[record]
        ]
        return web.json_response({"enabled": True, "entries": entries, "order": []})


def _missing() -> web.Response:
    body = {"status": 404, "message": "The persistent identifier does not exist."}
    return web.json_response(body, status=404)
