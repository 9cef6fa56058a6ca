"""Pulls an image for a server that is to start: in the hub's process, with docker-py.

The agent keeps the registry's login in a file (`login_file.py`). Two servers that wait
for one image cost one pull: the engine sees to that.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import docker  # type: ignore[import-untyped]
from docker.errors import APIError, DockerException  # type: ignore[import-untyped]

from binder_federation.cluster_agent.registry.credentials.static import login_in
from binder_federation.cluster_agent.stacks.repo2docker.push_progress import PushProgress


class ImageNotPulled(Exception):
    """The engine could not pull; the text is for people."""


class PullProgress(PushProgress):
    """The engine tells of a pull as of a push, in other words."""

    done_words: ClassVar[tuple[str, ...]] = ("Pull complete", "Already exists")
    told_words: ClassVar[tuple[str, ...]] = (
        "Pulling fs layer",
        "Downloading",
        "Waiting",
        *done_words,
    )


def pull_image(
    client: docker.APIClient,
    reference: str,
    *,
    login_file: Path,
    on_progress: Callable[[Mapping[str, int]], None],
) -> None:
    """Pull `reference`, however long it takes. Raises `ImageNotPulled`."""
    name, _, tag = reference.rpartition(":")
    progress = PullProgress()
    try:
        messages: Iterator[Mapping[str, Any]] = client.pull(
            name, tag=tag, auth_config=_auth(login_file, name), stream=True, decode=True
        )
        for message in messages:
            if progress.observe(message):
                on_progress(progress.to_fields())
    except (APIError, DockerException, OSError) as error:
        raise ImageNotPulled("The image could not be pulled.") from error
    if progress.error:
        raise ImageNotPulled(f"The image could not be pulled: {progress.error}")


def _auth(login_file: Path, name: str) -> dict[str, str] | None:
    """None lets docker-py look for this user's own logins; {} is none at all."""
    try:
        login = login_in(login_file.read_text(encoding="utf-8"), name)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ImageNotPulled("The registry's login cannot be read.") from error
    return {"username": login.username, "password": login.password} if login else {}
