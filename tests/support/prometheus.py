"""A real Prometheus, which scrapes what a test tells it to, every second."""

import asyncio
import math
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.promtool import find_binary

STOP_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer, with its last value."""

    labels: Mapping[str, str]
    value: float


class Prometheus:
    """The server; ask it PromQL."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def ask(self, expression: str) -> list[Series]:
        """The answer as of now, of numbers only (no NaN)."""
        answer = await self._client.post("/api/v1/query", data={"query": expression})
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        result = answer.json()["data"]["result"]
        series = [Series(each["metric"], float(each["value"][1])) for each in result]
        return [each for each in series if not math.isnan(each.value)]

    async def firing(self) -> dict[str, list[Mapping[str, str]]]:
        """Alerts that fire: their labels, by name."""
        found: dict[str, list[Mapping[str, str]]] = {}
        for each in await self.ask('ALERTS{alertstate="firing"}'):
            found.setdefault(each.labels["alertname"], []).append(each.labels)
        return found

    async def wait_until_fires(self, alert: str, *, within_seconds: float = 90) -> None:
        """Until the alert fires."""

        async def fires() -> bool:
            return alert in await self.firing()

        await eventually(fires, what=f"{alert} to fire", within_seconds=within_seconds)

    async def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            return (await self._client.get("/-/ready")).status_code == 200
        except httpx.TransportError:
            return False


@asynccontextmanager
async def running_prometheus(
    folder: Path, jobs: Mapping[str, list[str]], *, rules: Mapping[str, str] | None = None
) -> AsyncIterator[Prometheus]:
    """It scrapes each job's addresses; `rules` are names and texts of files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (rules or {}).items():
        (folder / name).write_text(text)
    config: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": sorted(rules or {}),
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": addresses}]}
            for job, addresses in jobs.items()
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [
        find_binary("prometheus"),
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
            prometheus = Prometheus(client)
            await eventually(prometheus.is_ready, what="Prometheus to be ready", within_seconds=60)
            yield prometheus
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, STOP_SECONDS)
