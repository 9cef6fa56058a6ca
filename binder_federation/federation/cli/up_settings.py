"""The settings that `binderfed up` writes for its parts, and the folder they live in."""

import argparse
import fcntl
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from binder_federation.config.load import ConfigurationError, merged, read_yaml
from binder_federation.federation.cli.up_example import Example

HOST = "127.0.0.1"
MEMBER_NAMES = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa",
    "lambda", "mu", "nu", "xi", "omicron", "pi", "rho", "sigma", "tau", "upsilon",
)  # fmt: skip
# One machine and no real outages: health is looked at more often, and trust comes back sooner.
LOCAL_HEALTH = {
    "probe_every_seconds": 2.0,
    "down_probe_max_seconds": 5.0,
    "recover_after_seconds": 5.0,
    "slow_start_seconds": 60.0,
}
# Nothing is pushed or pulled: images are folders, or on the one engine.
ESTIMATES = {
    "local": {
        "spawn_seconds": 3.0,
        "build_seconds": 15.0,
        "push_seconds": 0.1,
        "pull_base_seconds": 0.1,
        "image_bytes": 1,
    },
    "docker": {
        "spawn_seconds": 4.0,
        "build_seconds": 180.0,
        "push_seconds": 0.1,
        "pull_base_seconds": 0.1,
        "image_bytes": 1,
    },
}
# A hub on the same machine answers at once or is broken: the other member shall have its turn.
LOCAL_LAUNCH = {"retries": 2, "retry_first_seconds": 0.5}
SECTIONS = ("providers", "federation", "agent")


@dataclass(frozen=True, slots=True)
class MemberPlan:
    """One member's place."""

    name: str
    url: str
    state_dir: Path
    settings_file: Path
    ready_file: Path


@dataclass(frozen=True, slots=True)
class Plan:
    """Where everything is."""

    url: str
    example_path: str
    log_dir: Path
    settings_file: Path
    members: tuple[MemberPlan, ...]


@contextmanager
def exclusive(state_dir: Path) -> Iterator[None]:
    """Hold the state folder: two federations must not share one."""
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigurationError(
                f"Another federation uses the folder {state_dir}.",
                advice="Stop that one, or name another folder with --state-dir.",
            ) from error
        yield


def write_settings(arguments: argparse.Namespace, state_dir: Path, example: Example) -> Plan:
    """Write one settings file for the federation and one for each member."""
    if not 1 <= arguments.members <= len(MEMBER_NAMES):
        raise ConfigurationError(f"Between 1 and {len(MEMBER_NAMES)} members can be run here.")
    _check_port_is_free(arguments.port)
    more = _further_settings(arguments.config)
    url = f"http://{HOST}:{arguments.port}"
    names = MEMBER_NAMES[: arguments.members]
    members = tuple(
        _member_plan(name, port, state_dir)
        for name, port in zip(names, _free_ports(len(names)), strict=True)
    )
    credentials = {name: secrets.token_urlsafe(32) for name in names}
    providers = merged(_providers(arguments, example), more["providers"])
    for member in members:
        values = _agent_values(arguments, member, url, credentials[member.name], providers)
        _write_private(member.settings_file, merged(values, more["agent"]))
        member.ready_file.unlink(missing_ok=True)
    settings_file = state_dir / "federation.yaml"
    values = {
        "host": HOST,
        "port": arguments.port,
        "members": [
            {"name": m.name, "url": m.url, "credential": credentials[m.name]} for m in members
        ],
        "providers": providers,
        "health": LOCAL_HEALTH,
        "estimates": ESTIMATES[arguments.stack],
        "example": example.path,
    }
    _write_private(settings_file, merged(values, more["federation"]))
    return Plan(url, example.path, state_dir / "logs", settings_file, members)


def _member_plan(name: str, port: int, state_dir: Path) -> MemberPlan:
    folder = state_dir / "members" / name
    folder.mkdir(parents=True, exist_ok=True)
    return MemberPlan(
        name=name,
        url=f"http://{HOST}:{port}",
        state_dir=folder / "state",
        settings_file=folder / "agent.yaml",
        ready_file=folder / "ready.json",
    )


def _providers(arguments: argparse.Namespace, example: Example) -> dict[str, Any]:
    return {
        "allow_private_addresses": arguments.allow_private_addresses,
        "trusted_prefixes": [example.trusted_prefix, *arguments.trust],
    }


def _agent_values(
    arguments: argparse.Namespace,
    member: MemberPlan,
    federation_url: str,
    credential: str,
    providers: dict[str, Any],
) -> dict[str, Any]:
    values: dict[str, Any] = {
        "name": member.name,
        "host": HOST,
        "port": int(member.url.rpartition(":")[2]),
        "federation_url": federation_url,
        "credential": credential,
        "state_dir": str(member.state_dir),
        "stack": arguments.stack,
        "providers": providers,
        "launch": LOCAL_LAUNCH,
    }
    if arguments.sessions is not None:
        values["quota"] = {"sessions": arguments.sessions}
    return values


def _further_settings(path: Path | None) -> dict[str, dict[str, Any]]:
    given = read_yaml(path) if path else {}
    if unknown := sorted(set(given) - set(SECTIONS)):
        raise ConfigurationError(
            f"{path} has a section {unknown[0]!r}; it may have {', '.join(SECTIONS)}."
        )
    return {section: given.get(section) or {} for section in SECTIONS}


def _write_private(path: Path, values: dict[str, Any]) -> None:
    """Write a file that holds a credential: for this user alone."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        yaml.safe_dump(values, file, sort_keys=False)


def _check_port_is_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            raise ConfigurationError(
                f"Port {port} of {HOST} cannot be used: something else listens there.",
                advice="Choose another one: make run PORT=9000, or binderfed up --port 9000.",
            ) from error


def _free_ports(count: int) -> list[int]:
    """Ports that are free now; all are held until the last is found, so they differ."""
    held = [socket.socket() for _ in range(count)]
    try:
        for probe in held:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in held]
    finally:
        for probe in held:
            probe.close()
