"""repo2docker in a process of its own: `python -m ….maker <file>`, started by `making.py`.

Its output is the build's log; how it ended is its exit status. The content is a folder
that is there already, so repo2docker asks nobody on the network what an address means.
"""

import logging
import subprocess
import sys
from pathlib import Path

from repo2docker import contentproviders
from repo2docker.app import Repo2Docker
from traitlets import TraitError
from traitlets.config import Config

from binder_federation.cluster_agent.stacks.repo2docker.engine import LoadingEngine
from binder_federation.cluster_agent.stacks.repo2docker.maker_order import (
    MakerOrder,
    MakerStatus,
)

USER_NAME = "jovyan"


class ImageMaker(Repo2Docker):  # type: ignore[misc] # the library has no types
    """repo2docker with our engine."""

    def __init__(self, order: MakerOrder) -> None:
        super().__init__(config=Config(order.traits))
        self.order = order
        self.repo = str(order.folder)
        self.ref = order.resolved_ref
        self.subdir = order.subdirectory
        self.output_image_spec = order.reference
        self.labels = order.labels
        self.appendix = order.appendix
        self.extra_build_args = order.build_args
        self.user_id = order.user_id
        self.user_name = USER_NAME
        self.run = False
        self.content_providers = [contentproviders.Local]
        if order.base_image:
            self.base_image = order.base_image

    def get_engine(self) -> LoadingEngine:
        """Always ours: the engines of other packages are not asked for."""
        engine = LoadingEngine(
            parent=self, builder=self.order.builder, is_pushed=self.order.is_pushed
        )
        engine.extra_buildx_build_args = [*engine.extra_buildx_build_args, *self.order.buildx_args]
        return engine


def main(order_file: str) -> int:
    """Make the image; returns a `MakerStatus`."""
    order = MakerOrder.model_validate_json(Path(order_file).read_bytes())
    try:
        maker = ImageMaker(order)
        maker.initialize([])
        maker.get_engine()
    except (TraitError, ValueError) as error:
        return _failed(MakerStatus.SETTINGS_WRONG, error)
    _log_to_stdout(maker.log)
    try:
        maker.build()
    except subprocess.CalledProcessError:
        return MakerStatus.BUILD_FAILED
    except (IsADirectoryError, NotADirectoryError) as error:  # a folder named Dockerfile
        return _failed(MakerStatus.FILES_NOT_UNDERSTOOD, error)
    except OSError as error:  # git, docker or the disk; the output says which
        return _failed(MakerStatus.BUILD_FAILED, error)
    except Exception as error:  # noqa: BLE001 - its buildpacks raise whatever a file made them raise
        return _failed(MakerStatus.FILES_NOT_UNDERSTOOD, error)
    return MakerStatus.MADE


def _log_to_stdout(log: logging.Logger) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_OneLine("%(message)s"))
    log.handlers = [handler]
    log.propagate = False


class _OneLine(logging.Formatter):
    """repo2docker's messages end with a newline, or do not."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).rstrip("\r\n")


def _failed(status: MakerStatus, error: Exception) -> int:
    if isinstance(error, FileNotFoundError) and error.filename == "docker":
        sys.stdout.write("no program named docker\n")
    else:
        sys.stdout.write(f"ERROR: {error}\n")
    sys.stdout.flush()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
