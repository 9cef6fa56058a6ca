"""compose.yaml as an operator starts it, from a copy in a folder, on ports that are free here."""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.ports import free_port
from tests.support.project_image import LOCAL_BASE, has_image
from tests.support.redis_image import redis_image

ROOT = Path(__file__).parents[2]
CALL_SECONDS = 300
START_SECONDS = 240
_FILES = (
    "compose.yaml",
    "deploy/compose",
    "charts/federation/rules",
    "charts/federation/dashboards",
)
_VALKEY = "binderfed-test-valkey:1"
_PROMETHEUS = "binderfed-test-prometheus:2"


@dataclass
class ComposeProject:
    """A copy of what compose needs, and how it is called."""

    folder: Path
    name: str = field(default_factory=lambda: f"bf-{secrets.token_hex(3)}")
    agent_port: int = field(default_factory=free_port)
    hub_port: int = field(default_factory=free_port)
    port: int = field(default_factory=free_port)
    prometheus_port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        for name in _FILES:
            source, target = ROOT / name, self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("secrets"))
            else:
                shutil.copy(source, target)

    def make_secrets(self, *arguments: str, stdin: str = "") -> str:
        """As the page tells; returns what it says."""
        done = subprocess.run(
            [str(self.folder / "deploy/compose/make-secrets"), *arguments],
            input=stdin, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"make-secrets failed: {done.stderr}"
        return done.stdout + done.stderr

    def secrets_of(self, name: str) -> dict[str, str]:
        """The variables that a service is given as secrets."""
        text = (self.folder / f"deploy/compose/secrets/{name}.env").read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        return {key: value for key, _, value in (line.partition("=") for line in lines)}

    def use_free_ports(self) -> None:
        """Instead of those that compose.yaml has, which may be taken on a machine of tests."""
        ports = {
            "8585": str(self.agent_port),
            "http://127.0.0.1:8080\n": f"http://127.0.0.1:{self.port}\n",
            "hub_port: 8000": f"hub_port: {self.hub_port}",
            "http://127.0.0.1:8000": f"http://127.0.0.1:{self.hub_port}",
        }
        for path in (*self.folder.glob("deploy/compose/**/*"), self.folder / "compose.yaml"):
            if path.is_file() and path.name != "make-secrets":
                text = path.read_text(encoding="utf-8")
                for old, new in ports.items():
                    text = text.replace(old, new)
                path.write_text(text, encoding="utf-8")

    def choose(self, **variables: str) -> None:
        """Lines of .env."""
        with (self.folder / ".env").open("a", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in variables.items())

    def override(self, services: Mapping[str, Any]) -> None:
        """A compose.override.yaml, which compose reads by itself."""
        text = yaml.safe_dump({"services": dict(services)})
        (self.folder / "compose.override.yaml").write_text(text, encoding="utf-8")

    def call(self, *arguments: str, seconds: float = CALL_SECONDS) -> str:
        """What `docker compose …` prints; AssertionError if it fails."""
        variables = {"COMPOSE_PROJECT_NAME": self.name, "COMPOSE_ANSI": "never"}
        done = subprocess.run(
            ["docker", "compose", *arguments],
            cwd=self.folder, env={**os.environ, **variables},
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments}: {done.stderr[-2000:]}"
        return done.stdout

    def log(self) -> str:
        """The last lines of every service."""
        return self.call("logs", "--tail=30", "--no-color")

    @contextmanager
    def started(self, *services: str) -> Iterator[None]:
        """Up and healthy; everything is taken away afterwards."""
        try:
            try:
                waiting = ("--detach", "--wait", f"--wait-timeout={START_SECONDS}")
                self.call("up", *waiting, *services, seconds=START_SECONDS + 60)
            except AssertionError as error:
                raise AssertionError(f"{error}\n{self.log()}") from error
            yield
        finally:
            self.call("--profile=*", "down", "--volumes", "--timeout=20")


def valkey_image() -> str:
    """One whose `/data` belongs to its user, as in Valkey's own; empty where that can be pulled."""
    base = redis_image()
    recipe = f"FROM {base}\nUSER 0\nRUN mkdir -p /data && chown 999:999 /data\n"
    return _made(_VALKEY, recipe) if base else ""


def prometheus_image() -> str:
    """Debian's, on an engine that cannot pull the project's own; else empty."""
    recipe = f"""\
FROM {LOCAL_BASE}
USER 0
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends prometheus >/dev/null \\
    && rm -rf /var/lib/apt/lists/* && mkdir -p /prometheus && chown 65534:65534 /prometheus
"""
    return _made(_PROMETHEUS, recipe) if has_image(LOCAL_BASE) else ""


def _made(name: str, recipe: str) -> str:
    if not has_image(name):
        done = subprocess.run(
            ["docker", "build", "--network=host", f"--tag={name}", "-"],
            input=recipe, capture_output=True, text=True, timeout=CALL_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"no image {name} was made:\n{done.stderr[-2000:]}"
    return name
