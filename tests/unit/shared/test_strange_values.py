"""Values of other replicas that would win for ever, or fill the memory."""

from typing import Any

import pytest

from binder_federation.federation.shared.refs import decode
from binder_federation.runtime.bounded import read_time

NOW = 1_700_000_000.0


@pytest.mark.parametrize("value", [1e18, NOW + 3600, -1, True, "1", None, float("nan")])
def test_a_time_has_been(value: Any) -> None:
    with pytest.raises(ValueError, match="a time is"):
        read_time(value, now=NOW)
    assert read_time(NOW + 5, now=NOW) == NOW + 5, "clocks differ"


@pytest.mark.parametrize(
    "body",
    [
        b'{"asked_at": 1e18, "learned_at": 1, "resolved_ref": "x", "etag": ""}',
        b'{"asked_at": 1, "learned_at": 1, "resolved_ref": ["x"], "etag": {}}',
        b'{"asked_at": 1, "learned_at": 1, "resolved_ref": "x", "etag": 7}',
    ],
)
def test_no_ref_is_believed_for_ever(body: bytes) -> None:
    with pytest.raises(ValueError, match="a t"):
        decode(body, now=NOW)
