"""A member that tries everything hurts itself alone. (A minute of it: tests/live.)"""

from tests.support.hostile_member import besiege


async def test_a_hostile_member_hurts_itself_alone() -> None:
    outcome = await besiege(seconds=5.0, per_second=6.0)
    assert outcome.launches >= 15
    assert outcome.lost == [], "every visitor has a notebook, at the good member"
    assert outcome.failures_before_out <= 10, "it is asked no more"
    assert set(outcome.pages) == {200}
    assert outcome.growth_bytes < 100 << 20
