"""A minute beside a member that tries everything."""

import sys

import pytest

from tests.support.hostile_member import besiege

pytestmark = pytest.mark.live


async def test_a_minute_beside_a_hostile_member() -> None:
    outcome = await besiege(seconds=60.0, per_second=5.0)
    sys.stdout.write(
        f"\n{outcome.launches} launches, {len(outcome.lost)} lost; the hostile member was out "
        f"after {outcome.failures_before_out} failures; pages {outcome.pages}; "
        f"memory +{outcome.growth_bytes / 2**20:.1f} MiB\n"
    )
    assert outcome.lost == []
    assert 1 <= outcome.failures_before_out <= 10, "it is asked no more"
    assert set(outcome.pages) == {200}
    assert outcome.growth_bytes < 60 << 20
