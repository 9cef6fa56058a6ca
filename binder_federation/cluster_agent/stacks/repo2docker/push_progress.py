"""From the engine's account of a push, layer by layer, to one line of progress. Pure.

The engine tells of each layer by its id, many times a second
(https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Image/operation/ImagePush):

    {"id": "5f70bf18a086", "status": "Pushing", "progressDetail": {"current": 512, "total": 1024}}
    {"id": "5f70bf18a086", "status": "Pushed"}
    {"aux": {"Tag": "…", "Digest": "sha256:…", "Size": 1234}}
    {"errorDetail": {"message": "denied"}, "error": "denied"}
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(slots=True)
class PushProgress:
    """What is known of one push."""

    done_words: ClassVar[tuple[str, ...]] = ("Pushed", "Layer already exists", "Mounted from")
    told_words: ClassVar[tuple[str, ...]] = ("Preparing", "Waiting", "Pushing", *done_words)
    digest: str = ""
    """Of the manifest; the registry has the image once this is told."""
    error: str = ""
    _layers: dict[str, tuple[int, int, bool]] = field(default_factory=dict)

    def observe(self, message: Mapping[str, Any]) -> bool:
        """Take one message; whether the push is any further than before it."""
        self.error = self.error or str(message.get("error") or "")
        aux = message.get("aux")
        if isinstance(aux, Mapping) and aux.get("Digest"):
            self.digest = str(aux["Digest"])
            return True
        return self._observe_layer(message)

    def to_fields(self) -> dict[str, int]:
        """`progress` of a line (`output.py`)."""
        layers = self._layers.values()
        return {
            "layers": len(layers),
            "done": sum(is_done for _, _, is_done in layers),
            "bytes": sum(current for current, _, _ in layers),
            "total_bytes": sum(total for _, total, _ in layers),
        }

    def _observe_layer(self, message: Mapping[str, Any]) -> bool:
        layer, status = str(message.get("id") or ""), str(message.get("status") or "")
        if not layer or not status.startswith(self.told_words):
            return False
        before = self._layers.get(layer)
        detail = message.get("progressDetail")
        current, total = _numbers(detail if isinstance(detail, Mapping) else {})
        known = before[1] if before else 0
        if status.startswith(self.done_words):
            now = (known, known, True)
        else:
            # A retried upload begins anew, and the engine learns a layer's size as it goes.
            now = (current, max(current, total, known), False)
        self._layers[layer] = now
        return now != before


def _numbers(detail: Mapping[str, Any]) -> tuple[int, int]:
    return _number(detail.get("current")), _number(detail.get("total"))


def _number(value: object) -> int:
    return max(0, int(value)) if isinstance(value, int | float) else 0
