"""An image with a Redis for a cluster: the one that a test's operator names, or Debian's.

`TESTBED_REDIS_IMAGE` names one that nodes can have. On an engine with `debian-base` one is made
of it. Elsewhere it is the chart's own, which nodes pull.
"""

import os
import subprocess

from tests.support.project_image import LOCAL_BASE, has_image

NAME = "binderfed-test-redis:7"
BUILD_SECONDS = 300
_DOCKERFILE = f"""\
FROM {LOCAL_BASE}
USER 0
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends redis-server >/dev/null \\
    && rm -rf /var/lib/apt/lists/*
"""


def redis_image() -> str:
    """The image's name; empty where the chart's own is right."""
    given = os.environ.get("TESTBED_REDIS_IMAGE", "")
    if given or not has_image(LOCAL_BASE):
        return given
    if not has_image(NAME):
        done = subprocess.run(
            ["docker", "build", "--network=host", f"--tag={NAME}", "-"],
            input=_DOCKERFILE, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"no image with Redis was made:\n{done.stderr[-2000:]}"
    return NAME
