"""A server that behaves like Figshare's public API: https://docs.figshare.com/#public_article."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from tests.support.fake_data_site import FakeDataSite


class FakeFigshare(FakeDataSite):
    """`figshare.publish(7, {"data.csv": "1"})` is the next version of article 7."""

    def __init__(self) -> None:
        super().__init__()
        self._versions: dict[str, list[list[dict[str, Any]]]] = {}

    @property
    def api_url(self) -> str:
        return f"{self.url}/v2"

    def publish(
        self, article: int, files: Mapping[str, bytes | str], *, links: tuple[str, ...] = ()
    ) -> str:
        """A new version; its DOI. `links` are names of files that are elsewhere."""
        listed: list[dict[str, Any]] = []
        for name, content in files.items():
            file = self.store(name, content)
            listed.append(
                {
                    "id": file.number,
                    "name": name,
                    "size": len(file.content),
                    "is_link_only": False,
                    "download_url": self.file_url(file),
                    "supplied_md5": file.md5,
                    "computed_md5": file.md5,
                    "mimetype": "text/plain",
                }
            )
        listed += [
            {"id": 0, "name": name, "size": 0, "is_link_only": True, "download_url": name}
            for name in links
        ]
        versions = self._versions.setdefault(str(article), [])
        versions.append(listed)
        return f"10.6084/m9.figshare.{article}.v{len(versions)}"

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v2/articles/{id}", self._article),
            web.get("/v2/articles/{id}/versions/{version}", self._article),
        ]

    async def _article(self, request: web.Request) -> web.Response:
        article = request.match_info["id"]
        versions = self._versions.get(article, [])
        version = int(request.match_info.get("version") or len(versions))
        if not 1 <= version <= len(versions):
            body = {"message": "Entity not found: article", "code": "EntityNotFound"}
            return web.json_response(body, status=404)
        return web.json_response(
            {
                "id": int(article),
                "version": version,
                "doi": f"10.6084/m9.figshare.{article}.v{version}",
                "is_metadata_record": False,
                "files": versions[version - 1],
            }
        )
