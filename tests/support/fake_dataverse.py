"""A server that behaves like a Dataverse installation's native API.

https://guides.dataverse.org/en/latest/api/native-api.html: datasets by their persistent id,
files of one version, and the dataset of a file that has an id of its own.
"""

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.fake_data_site import FakeDataSite


@dataclass
class FakeDataset:
    """One dataset. `versions` are lists of files as the API shows them."""

    number: int
    doi: str
    versions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    file_dois: set[str] = field(default_factory=set)


class FakeDataverse(FakeDataSite):
    """`dataverse.create(9, "10.7910/DVN/ABC")`, then `publish` versions of it."""

    def __init__(self) -> None:
        super().__init__()
        self.datasets: list[FakeDataset] = []

    def create(self, number: int, doi: str) -> FakeDataset:
        dataset = FakeDataset(number, doi)
        self.datasets.append(dataset)
        return dataset

    def page(self, doi: str) -> str:
        """Where doi.org sends people."""
        return f"{self.url}/citation?persistentId=doi:{doi}"

    def listed(self, path: str, content: bytes | str, **changes: Any) -> dict[str, Any]:
        """A file as the API lists it; `path` may have a folder."""
        folder, _, label = path.rpartition("/")
        file = self.store(label, content)
        data = {
            "id": file.number,
            "filename": label,
            "filesize": len(file.content),
            "md5": file.md5,
            "checksum": {"type": "MD5", "value": file.md5},
            **changes.pop("dataFile", {}),
        }
        listed = {"label": label, "restricted": False, "dataFile": data, **changes}
        return {**listed, "directoryLabel": folder} if folder else listed

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/datasets/:persistentId/", self._dataset),
            web.get("/api/files/:persistentId/", self._file),
            web.get("/api/datasets/{id}/versions/{version}/files", self._files),
            web.get("/api/access/datafile/{number}", self._serve_file),
        ]

    async def _dataset(self, request: web.Request) -> web.Response:
        wanted = request.query["persistentId"]
        dataset = next((it for it in self.datasets if f"doi:{it.doi}" == wanted), None)
        if dataset is None:
            return _error(404, f"Dataset with Persistent ID {wanted} not found.")
        authority, _, identifier = dataset.doi.partition("/")
        latest = list(dataset.versions)[-1]
        major, _, minor = latest.partition(".")
        return _ok(
            {
                "id": dataset.number,
                "identifier": identifier,
                "persistentUrl": f"https://doi.org/{dataset.doi}",
                "protocol": "doi",
                "authority": authority,
                "latestVersion": {
                    "versionNumber": int(major),
                    "versionMinorNumber": int(minor),
                    "versionState": "RELEASED",
                    "files": dataset.versions[latest],
                },
            }
        )

    async def _file(self, request: web.Request) -> web.Response:
        wanted = request.query["persistentId"].removeprefix("doi:")
        dataset = next((it for it in self.datasets if wanted in it.file_dois), None)
        if dataset is None:
            return _error(404, "File not found.")
        return _ok({"label": "x", "datasetVersion": {"datasetPersistentId": f"doi:{dataset.doi}"}})

    async def _files(self, request: web.Request) -> web.Response:
        wanted = int(request.match_info["id"])
        dataset = next((it for it in self.datasets if it.number == wanted), None)
        files = dataset.versions.get(request.match_info["version"]) if dataset else None
        return _error(404, "Dataset version not found.") if files is None else _ok(files)


def _ok(data: Any) -> web.Response:
    return web.json_response({"status": "OK", "data": data})


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"status": "ERROR", "message": message}, status=status)
