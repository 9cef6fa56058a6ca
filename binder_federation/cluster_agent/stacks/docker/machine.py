"""What the engine's machine has left: memory for servers, disk for images. Mostly pure."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from binder_federation.cluster_agent.stacks.docker.engine import Engine, EngineInfo
from binder_federation.cluster_agent.stacks.docker.isolation import bytes_of
from binder_federation.config.resources import ResourceSettings

_SHARE_FOR_SERVERS = 0.9
_LEAST_GUARANTEE = 128 << 20


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk that images and containers are on; None when it is another machine's."""

    free_bytes: int | None

    def is_under(self, least_bytes: int) -> bool:
        """Whether it is known to have less than that left."""
        return self.free_bytes is not None and self.free_bytes < least_bytes

    def to_sentence(self) -> str:
        """For people."""
        if self.free_bytes is None:
            return "The engine does not tell how much is free."
        return f"{self.free_bytes / 1e9:.1f} GB are free."


def sessions_that_fit(info: EngineInfo, resources: ResourceSettings) -> int:
    """Servers whose guaranteed memory (else their limit) the machine has together."""
    text = resources.memory_guarantee or resources.memory_limit or "512M"
    each = max(_LEAST_GUARANTEE, bytes_of(text))
    return max(1, int(info.memory_bytes * _SHARE_FOR_SERVERS) // each)


def read_disk(engine: Engine, info: EngineInfo) -> Disk:
    """How much is free where the engine keeps everything."""
    folder = Path(info.root_folder)
    if not engine.is_here or not info.root_folder or not folder.is_dir():
        return Disk(None)
    try:
        return Disk(shutil.disk_usage(folder).free)
    except OSError:
        return Disk(None)
