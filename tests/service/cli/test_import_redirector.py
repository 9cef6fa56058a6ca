"""`binderfed import-redirector`, and a federation that runs with what it wrote."""

import json
from pathlib import Path

import httpx
import yaml

from tests.service.cli.test_commands import binderfed
from tests.support.fake_binderhub import FakeBinderHub
from tests.support.replicas import Replica


async def test_serve_runs_with_what_was_imported(tmp_path: Path) -> None:
    hub = FakeBinderHub("gke")
    await hub.start()
    config, settings = tmp_path / "config.json", tmp_path / "federation.yaml"
    there = {"url": hub.url, "health": f"{hub.url}/health", "versions": f"{hub.url}/versions"}
    hosts = {"gke": {**there, "weight": 3, "prime": True}, "old": None}
    config.write_text(json.dumps({"hosts": hosts, "pod_headroom": 10, "check": {"period": 15}}))
    try:
        status, output, errors = await binderfed(
            "import-redirector", str(config), "--output", str(settings)
        )
        assert (status, output) == (0, ""), errors
        replica = Replica(tmp_path, "imported", yaml.safe_load(settings.read_text()))
        async with httpx.AsyncClient() as client:
            try:
                await replica.start(client, members=1)
                active = (await client.get(f"{replica.url}/active_hosts")).json()
            finally:
                await replica.kill()
    finally:
        await hub.stop()
    assert active == {"active_hosts": {"gke": {**there, "weight": 3}}}


async def test_what_is_wrong_with_the_file_is_said_with_its_name(tmp_path: Path) -> None:
    bad = tmp_path / "config.json"
    for text, said in [
        ("{", "is not JSON"),
        ('{"hosts": {"a": {"url": "x", "weight": 1}}}', "hosts.a.url must be a URL"),
    ]:
        bad.write_text(text)
        status, output, errors = await binderfed("import-redirector", str(bad))
        assert (status, output) == (1, "")
        assert "config.json: " in errors
        assert said in errors
        assert "Traceback" not in errors
    status, _, errors = await binderfed("import-redirector", str(tmp_path / "nowhere.json"))
    assert status == 1
    assert "cannot be read: No such file" in errors
