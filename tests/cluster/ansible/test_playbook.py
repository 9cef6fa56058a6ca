"""The playbook: what it writes the services understand, and a second run changes nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from binder_federation.config.agent import AgentSettings
from binder_federation.config.federation import FederationSettings
from binder_federation.config.load import load_settings

ANSIBLE = Path(__file__).parents[3] / "deploy/ansible"
TOKEN = 'bfi_id.a"long$random\\text'


class Machine:
    """A folder in which the playbook puts what belongs to a machine, by a run on this one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.values: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "binder_become": False,
            "binder_manages_service": False,
            **{f"binder_{name}": str(folder / name)
               for name in ("root", "config_folder", "state_folder", "unit_folder")},
        }  # fmt: skip
        (folder / "unit_folder").mkdir(parents=True)
        self.groups = {
            "members": {
                "binder_name": "uni-x",
                "binder_join_url": "https://binder.example.org",
                "binder_join_token": TOKEN,
                "binder_agent_url": "https://agent.uni-x.example",
                "binder_hub_url": "https://hub.uni-x.example",
                "binder_member_settings": {"quota": {"sessions": 33}},
            },
            "federation": {
                "binder_public_url": "https://binder.example.org",
                "binder_admin_token": "a-long-random-text",
                "binder_federation_settings": {"log_level": "debug"},
            },
        }

    def play(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Settings and units alone: no package, no user, no service of this machine."""
        groups = {name: {"hosts": {f"{name}-1": {}}, "vars": values}
                  for name, values in self.groups.items()}  # fmt: skip
        inventory = self.folder / "inventory.yaml"
        inventory.write_text(yaml.safe_dump({"all": {"vars": self.values}, **groups}))
        command = Path(sys.executable).with_name("ansible-playbook")
        return subprocess.run(
            [str(command), f"--inventory={inventory}", "--tags=settings,unit", *arguments,
             str(ANSIBLE / "site.yaml")],
            capture_output=True, text=True, timeout=120, check=False,
            env={**os.environ, "ANSIBLE_HOME": str(self.folder / "home"), "LC_ALL": "C.UTF-8"},
        )  # fmt: skip


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "machine")


def variables_of(file: Path) -> dict[str, str]:
    """As systemd reads it: between double quotes a backslash takes a sign as it is."""
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    pairs = (line.partition("=") for line in lines)
    signs = ("\\\\", '\\"', "\\$", "\\`")
    found = {}
    for name, _, value in pairs:
        text, result = value[1:-1], ""
        while text:
            width = 2 if text[:2] in signs else 1
            result, text = result + text[width - 1], text[width:]
        found[name] = result
    return found


def test_the_playbook_writes_what_the_services_understand(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = machine.play(), machine.play()

    assert first.returncode == 0, first.stdout + first.stderr
    assert second.stdout.count("changed=0") == 2, f"it is not idempotent:\n{second.stdout}"
    assert TOKEN not in first.stdout
    config = machine.folder / "config_folder"
    for file in config.glob("*.env"):
        assert file.stat().st_mode & 0o077 == 0, f"{file.name} can be read by others"
        for key, value in variables_of(file).items():
            monkeypatch.setenv(key, value)
    agent = load_settings(AgentSettings, config / "agent.yaml")
    federation = load_settings(FederationSettings, config / "federation.yaml")
    assert agent.join is not None
    assert agent.join.token is not None
    assert agent.join.token.get_secret_value() == TOKEN
    assert (agent.stack, agent.quota.sessions) == ("docker", 33)
    assert federation.log_level == "debug"
    assert federation.steering.file is not None
    check_units(machine.folder / "unit_folder")


def check_units(folder: Path) -> None:
    """By systemd itself, where it is; programs that are not installed are not its business."""
    units = sorted(folder.glob("*.service"))
    assert [unit.name for unit in units] == ["binderfed-agent.service", "binderfed.service"]
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    for unit in units:
        done = subprocess.run(
            [analyze, "verify", "--man=no", str(unit)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        said = [line for line in done.stderr.splitlines() if unit.name in line]
        ours = [line for line in said if "not executable" not in line and "not found" not in line]
        assert ours == [], f"{unit.name}: {ours}"


def test_what_is_not_said_is_asked_for(machine: Machine) -> None:
    del machine.groups["members"]["binder_join_token"]

    played = machine.play("--limit=members")

    assert played.returncode != 0
    assert "binder_join_token is not set" in played.stdout
    assert not (machine.folder / "config_folder").exists(), "something was changed before"
