"""From settings to a container's configuration, its network, and what is said about them."""

from dataclasses import replace
from pathlib import Path

import pytest

from binder_federation.cluster_agent.stacks.docker.build_memory import BuildMemory, why_unlimited
from binder_federation.cluster_agent.stacks.docker.engine import EngineInfo
from binder_federation.cluster_agent.stacks.docker.isolation import (
    bytes_of,
    disk_config,
    host_config,
    is_root,
    may_limit_disk,
    resource_config,
    weaknesses,
)
from binder_federation.cluster_agent.stacks.docker.machine import sessions_that_fit
from binder_federation.cluster_agent.stacks.docker.network import (
    blocking_rules,
    bridge_name,
    firewall_rules,
    network_config,
    network_name,
)
from binder_federation.cluster_agent.stacks.docker.spawner_config import published_at
from binder_federation.config.isolation import IsolationSettings
from binder_federation.config.resources import ResourceSettings
from binder_federation.config.stacks.docker import DockerStackSettings


def test_the_defaults_are_the_safe_ones() -> None:
    config = host_config(IsolationSettings())
    assert config["cap_drop"] == ["ALL"]
    assert config["security_opt"] == ["no-new-privileges:true"], "seccomp is Docker's own"
    assert config["pids_limit"] == 1024
    assert config["privileged"] is False
    assert config["ipc_mode"] == "private"
    assert "binds" not in config
    assert "network_mode" not in config


def test_what_can_be_set() -> None:
    config = host_config(
        IsolationSettings(
            read_only_root=True,
            runtime="runsc",
            seccomp="Unconfined",
            allow_privilege_escalation=True,
            drop_capabilities=False,
            most_processes=None,
        )
    )
    assert config["read_only"] is True
    assert len(config["tmpfs"]) == 1, "nothing works without a place for temporary files"
    assert config["runtime"] == "runsc"
    assert config["security_opt"] == ["seccomp=unconfined"]
    assert "cap_drop" not in config
    assert "pids_limit" not in config
    assert disk_config(IsolationSettings(disk_limit="5G")) == {"storage_opt": {"size": "5G"}}


def test_resources() -> None:
    config = resource_config(
        ResourceSettings(
            memory_limit="1G", memory_guarantee="512M", cpu_limit=1.5, cpu_guarantee=0.5
        )
    )
    assert config == {
        "mem_limit": 1 << 30,
        "memswap_limit": 1 << 30,
        "mem_reservation": 512 << 20,
        "cpu_period": 100_000,
        "cpu_quota": 150_000,
        "cpu_shares": 512,
    }


def test_a_guarantee_above_the_limit_is_the_limit() -> None:
    config = resource_config(ResourceSettings(memory_limit="1G", memory_guarantee="2G"))
    assert config["mem_reservation"] == config["mem_limit"], "the engine refuses more"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("512", 512), ("1K", 1024), ("1.5M", 3 << 19), ("2G", 2 << 30), ("2Gi", 2 << 30)],
)
def test_bytes(text: str, expected: int) -> None:
    assert bytes_of(text) == expected


@pytest.mark.parametrize(
    ("user", "expected"),
    [("", True), ("0", True), ("root:users", True), ("jovyan", False), ("1000:100", False)],
)
def test_who_is_root(user: str, expected: bool) -> None:
    assert is_root(user) is expected


@pytest.mark.parametrize(
    ("driver", "filesystem", "expected"),
    [
        ("overlay2", "xfs", True),
        ("overlay2", "extfs", False),
        ("zfs", "", True),
        ("vfs", "", False),
    ],
)
def test_which_engines_limit_a_disk(driver: str, filesystem: str, expected: bool) -> None:
    assert may_limit_disk(storage_driver=driver, backing_filesystem=filesystem) is expected


def test_what_is_weak_is_said() -> None:
    assert weaknesses(IsolationSettings(), can_limit_disk=True, firewall_missing="") == []
    said = weaknesses(
        IsolationSettings(run_as_non_root=False), can_limit_disk=False, firewall_missing="no root."
    )
    assert len(said) == 4, said
    assert any("metadata" in sentence for sentence in said)


ENGINE = EngineInfo("28.1.0", 16 << 30, "/", "overlay2", "extfs", "cgroupfs", "2")


@pytest.mark.parametrize(
    ("changes", "is_here", "is_root", "words"),
    [
        ({}, True, True, ""),
        ({}, False, True, "another machine"),
        ({}, True, False, "root"),
        ({"version": "20.10.24+dfsg1"}, True, True, "Docker 23"),
        ({"version": ""}, True, True, "Docker 23"),
        ({"cgroup_driver": "systemd"}, True, True, "systemd"),
    ],
)
def test_when_builds_can_be_limited(
    changes: dict[str, str], is_here: bool, is_root: bool, words: str
) -> None:
    info = replace(ENGINE, **changes)  # type: ignore[arg-type]
    reason = why_unlimited(info, is_here=is_here, is_root=is_root)
    assert words in reason
    assert bool(reason) is bool(words)


async def test_a_cgroup_of_the_second_version(tmp_path: Path) -> None:
    async with BuildMemory(limit_bytes=5, version="2", folder=tmp_path).hold("one") as name:
        assert name == "/binderfed/one"
        assert (tmp_path / "binderfed/one/memory.max").read_text() == "5"
        assert (tmp_path / "binderfed/cgroup.subtree_control").read_text() == "+memory"
        (tmp_path / "binderfed/one/memory.max").unlink()  # the kernel's files go with the folder
    assert not (tmp_path / "binderfed/one").exists()


def test_builds_are_named_where_nothing_keeps_them_from_the_metadata() -> None:
    said = weaknesses(
        IsolationSettings(), can_limit_disk=True, firewall_missing="", are_builds_blocked=False
    )
    assert len(said) == 1
    assert "firewall_builds" in said[0]
    rules = blocking_rules("docker0", ["169.254.0.0/16"])
    assert [rule[0] for rule in rules] == ["DOCKER-USER"], "others' containers reach the machine"


def test_servers_do_not_reach_each_other_nor_the_machine() -> None:
    config = network_config("binderfed-alpha", member="alpha", owner=Path("/state"))
    assert config["Options"] == {
        "com.docker.network.bridge.enable_icc": "false",
        "com.docker.network.bridge.name": bridge_name("binderfed-alpha"),
    }
    assert len(bridge_name("a" * 300)) <= 15, "longer names are none for the kernel"
    rules = firewall_rules("bf-x", DockerStackSettings().blocked_networks)
    assert [rule[0] for rule in rules] == ["DOCKER-USER", "INPUT"]
    assert rules[0][1:5] == ["-i", "bf-x", "-d", "169.254.0.0/16"]
    assert "NEW" in rules[1], "answers to the proxy pass"


def test_servers_reach_the_web_git_and_dns_alone() -> None:
    settings = DockerStackSettings()
    rules = firewall_rules("bf-x", (), ports=settings.egress_ports)
    tcp, udp = (" ".join(rule) for rule in rules if rule[0] == "DOCKER-USER")
    assert "-i bf-x -p tcp" in tcp
    assert "! --dports 53,80,443,9418" in tcp
    assert "-i bf-x -p udp" in udp
    assert "! --dport 53" in udp
    assert "NEW" in tcp, "answers to the proxy pass"
    assert "NEW" in udp
    assert [rule[0] for rule in firewall_rules("bf-x", (), ports=())] == ["INPUT"]


def test_two_agents_of_one_name_have_networks_of_their_own() -> None:
    pattern = DockerStackSettings().network
    names = {network_name(pattern, member="alpha", owner=Path(owner)) for owner in ("/one", "/two")}
    assert len(names) == 2, names
    assert network_name("shared", member="alpha", owner=Path("/one")) == "shared"


def test_how_many_servers_fit() -> None:
    info = EngineInfo("20.10", 16 << 30, "/var/lib/docker", "overlay2", "extfs")
    assert sessions_that_fit(info, ResourceSettings(memory_guarantee="450M")) == 32
    tiny = EngineInfo("20.10", 64 << 20, "", "", "")
    assert sessions_that_fit(tiny, ResourceSettings(memory_guarantee="")) == 1


@pytest.mark.parametrize(
    ("address", "expected"),
    [("unix:///var/run/docker.sock", "127.0.0.1"), ("tcp://engine.example:2376", "engine.example")],
)
def test_where_ports_are_published(address: str, expected: str) -> None:
    assert published_at(address) == expected
