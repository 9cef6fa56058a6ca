"""The project's container image: what it holds, as whom it runs, what it collects."""

import json
import subprocess
from collections.abc import Sequence

import pytest

from binder_federation import __version__
from tests.support.project_image import project_image

AS_IN_A_CLUSTER = (
    "--read-only",
    "--tmpfs=/tmp",
    "--tmpfs=/var/lib/binder:uid=65532,gid=65532,mode=700",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--network=none",
)
MOST_BYTES = 1_000_000_000


@pytest.fixture(scope="module")
def image(docker_engine: str) -> str:
    return project_image()


def run(image: str, *command: str, options: Sequence[str] = AS_IN_A_CLUSTER) -> str:
    """What the command writes, when it ends well."""
    done = subprocess.run(
        ["docker", "run", "--rm", *options, image, *command],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr}"
    return done.stdout


def inspect(image: str, *what: str) -> str:
    done = subprocess.run(["docker", *what, image], capture_output=True, text=True, check=True)
    return done.stdout


def test_both_services_start_from_it(image: str) -> None:
    assert run(image, "binderfed-agent", "--version").strip() == f"binderfed-agent {__version__}"
    assert __version__ in run(image, "binderfed", "version")
    assert "usage: binderfed-agent" in run(image), "without a command it says what it is"


def test_it_has_what_builds_and_launches_need(image: str) -> None:
    versions = run(
        image, "sh", "-euc",
        "git --version; docker --version; docker buildx version; traefik version; "
        "jupyterhub --version; python -c 'import repo2docker, kubespawner, dockerspawner, "
        "kubernetes_asyncio, aiodocker, botocore.session; print(\"imported\")'",
    )  # fmt: skip

    for expected in ("git version", "Docker version", "buildx", "imported"):
        assert expected in versions


def test_it_runs_as_nobody_special(image: str) -> None:
    config = json.loads(inspect(image, "image", "inspect"))[0]["Config"]

    assert config["User"] == "65532:65532", "a number: Kubernetes cannot read names"
    assert run(image, "id", "-u", "-n").strip() == "binder"
    assert run(image, "sh", "-c", "grep CapEff /proc/self/status").split()[1] == "0" * 16
    look = "for p in / /etc /opt/venv /usr; do test -w $p && echo $p; done; :"
    written = run(image, "sh", "-c", look, options=["--network=none"])
    assert written == "", "only its home folder and /tmp can be written"
    run(image, "sh", "-c", "touch $HOME/a /tmp/a")


def test_it_runs_as_another_user(image: str) -> None:
    options = ["--user=1000650000:0", "--env=HOME=/tmp", *AS_IN_A_CLUSTER]

    assert __version__ in run(image, "binderfed-agent", "--version", options=options)


def test_it_has_no_tools_that_it_does_not_need(image: str) -> None:
    look = "for t in gcc cc make uv sudo; do command -v $t; done; :"

    assert run(image, "sh", "-c", look) == ""


def test_it_is_not_large(image: str) -> None:
    size = json.loads(inspect(image, "image", "inspect"))[0]["Size"]

    assert size < MOST_BYTES, f"it has {size / 1e6:.0f} MB"


def test_it_does_not_tell_where_its_packages_came_from(image: str) -> None:
    history = inspect(image, "history", "--no-trunc", "--format={{.CreatedBy}}")
    config = json.loads(inspect(image, "image", "inspect"))[0]["Config"]

    assert not any("INDEX" in variable for variable in config["Env"])
    assert "INDEX_URL=" not in history
    found = run(image, "sh", "-c", "find / -xdev -name pip.conf -o -xdev -name uv.toml; :")
    assert found == "", "a package index's address is left in the image"


ORPHAN = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import subprocess; subprocess.Popen(['true'])"])
child.wait()
until = time.monotonic() + 20
def zombies():
    states = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            states.append(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0])
        except FileNotFoundError:
            pass
    return states.count("Z")
while zombies() and time.monotonic() < until:
    time.sleep(0.05)
print("left over:", zombies())
"""


def test_orphans_are_collected(image: str) -> None:
    assert run(image, "python", "-c", ORPHAN).strip() == "left over: 0", (
        "the proxy of a hub that died stays as a zombie, and counts against the pod's processes"
    )


def test_a_signal_reaches_the_command(image: str) -> None:
    on_signal = "trap 'echo stopped in order; exit 0' TERM"
    script = f"{on_signal}; kill -TERM 1; for i in 1 2 3 4 5 6 7 8 9; do sleep 1; done"

    assert run(image, "sh", "-c", script).strip() == "stopped in order"
