"""What the tests here need: an engine, a registry, a cluster; each says what it misses.

All of them have the marker `cluster` and run with `make test-kubernetes`. Where they run is
named by the environment alone: `DOCKER_HOST` (or the usual socket), `TESTBED_REGISTRY`
(`127.0.0.1:5000`: a registry that the engine and the nodes can push to and pull from),
`TESTBED_BASE_IMAGE` (an image with Python and JupyterLab), `KUBECONFIG`. kind and k3d do.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything below this folder is marked."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def docker_engine() -> str:
    """The Docker client's program, with an engine that answers."""
    docker = shutil.which("docker")
    if docker is None:
        pytest.skip("needs a Docker engine: the program docker is missing")
    asked = subprocess.run([docker, "version"], capture_output=True, timeout=30, check=False)
    if asked.returncode != 0:
        pytest.skip("needs a Docker engine: DOCKER_HOST, or the usual socket, does not answer")
    return docker


@pytest.fixture(scope="session")
def registry() -> str:
    """`host:port` of a registry without authentication."""
    name = os.environ.get("TESTBED_REGISTRY", "")
    if not name:
        pytest.skip("needs a registry: TESTBED_REGISTRY, such as 127.0.0.1:5000")
    return name


@pytest.fixture(scope="session")
def base_image() -> str:
    """An image with Python and JupyterLab that the test repositories start from."""
    name = os.environ.get("TESTBED_BASE_IMAGE", "")
    if not name:
        pytest.skip("needs an image with JupyterLab on the engine: TESTBED_BASE_IMAGE")
    return name


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    """The path of a kubeconfig file whose user may make namespaces."""
    path = os.environ.get("KUBECONFIG", "")
    if not path or not Path(path).is_file():
        pytest.skip("needs a Kubernetes cluster: KUBECONFIG")
    return path
