"""kubectl and helm for tests: plain calls that fail with what the program said."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

CALL_SECONDS = 300


class CallFailed(Exception):
    """The program's exit status was not 0; the text has its words."""


def call(program: str, *arguments: str, stdin: str | None = None) -> str:
    """What `program arguments…` prints. Raises `CallFailed`."""
    path = shutil.which(program)
    assert path is not None, f"{program} is missing"
    done = subprocess.run(
        [path, *arguments],
        input=stdin, capture_output=True, text=True, timeout=CALL_SECONDS, check=False,
        env=dict(os.environ),
    )  # fmt: skip
    if done.returncode != 0:
        raise CallFailed(f"{program} {' '.join(arguments)}:\n{done.stderr[-4000:]}")
    return done.stdout


async def kubectl(*arguments: str, stdin: str | None = None) -> str:
    """What kubectl prints."""
    return await asyncio.to_thread(call, "kubectl", *arguments, stdin=stdin)


async def helm(*arguments: str, stdin: str | None = None) -> str:
    """What helm prints."""
    return await asyncio.to_thread(call, "helm", *arguments, stdin=stdin)


async def evict(namespace: str, pod: str) -> bool:
    """Ask that the pod be gone, as `kubectl drain` does: whether a PodDisruptionBudget lets it."""
    eviction = {
        "apiVersion": "policy/v1beta1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": namespace},
    }
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
    try:
        await kubectl("create", "--raw", path, "--filename", "-", stdin=json.dumps(eviction))
    except CallFailed as error:
        if "disruption budget" in str(error):
            return False
        raise
    return True


async def objects(namespace: str, kind: str, selector: str = "") -> list[dict[str, Any]]:
    """The objects of a kind in a namespace, as the cluster's API gives them."""
    chosen: Sequence[str] = ["--selector", selector] if selector else []
    told = await kubectl("get", kind, "--namespace", namespace, *chosen, "--output", "json")
    items: list[dict[str, Any]] = json.loads(told)["items"]
    return items


async def names(namespace: str, kind: str, selector: str = "") -> list[str]:
    """Their names."""
    return [item["metadata"]["name"] for item in await objects(namespace, kind, selector)]
