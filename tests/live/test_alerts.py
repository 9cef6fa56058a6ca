"""Alerts fire for real: a Prometheus watches two replicas and three members, and one thing after
another is broken. The rules are those of the chart, without their waiting times.

What takes longer to come about than a test may take (rates over hours, a limit of a provider's
API over two hours …) is tried with written series in tests/monitoring/test_alerts.py.
"""

from pathlib import Path

import pytest

from monitoring.rules.files import rule_files
from tests.live.traffic import Traffic
from tests.support.eventually import eventually
from tests.support.watched_federation import BRANCH, EVENT, WatchedFederation, watched_federation

pytestmark = pytest.mark.live

CAPACITY = 12
EVENT_QUOTA = 4
FAILING_LAUNCHES = 20
ROUNDS = 3
QUIET = {"BinderMemberCertificateEndsSoon", "BinderReportMissing"}
"""From the beginning: gamma's certificate ends in ten days, and it never reports."""


async def test_each_alert_fires_when_its_cause_comes_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = dict(rule_files(hold_seconds=0, every_seconds=1))
    async with watched_federation(
        tmp_path, monkeypatch, rules=rules, capacity=CAPACITY, event_quota=EVENT_QUOTA
    ) as watched:
        await _only_the_known_ones_fire(watched)
        await _an_event_fills_its_quota(watched)
        await _a_provider_limits_us(watched)
        await _all_places_are_taken(watched)
        await _the_policy_file_breaks(watched)
        await _redis_goes_away(watched)
        await _members_vanish(watched)
        await _replicas_vanish(watched)


async def _only_the_known_ones_fire(watched: WatchedFederation) -> None:
    for alert in QUIET:
        await watched.prometheus.wait_until_fires(alert)

    async def is_calm() -> bool:  # replicas that start learn of members and of Redis first
        return set(await watched.prometheus.firing()) == QUIET

    await eventually(is_calm, what="only the known alerts to fire", within_seconds=60)
    for alert, labels in (await watched.prometheus.firing()).items():
        assert [each["member"] for each in labels] == ["gamma"], f"{alert} is gamma's alone"


async def _an_event_fills_its_quota(watched: WatchedFederation) -> None:
    await _visit(watched.traffic, f"gh/{EVENT}/lesson/{7:040x}", EVENT_QUOTA)
    await watched.prometheus.wait_until_fires("BinderEventQuotaNearlyUsed")


async def _a_provider_limits_us(watched: WatchedFederation) -> None:
    await _visit(watched.traffic, BRANCH, 1)
    watched.github.quota = 20
    watched.github.create("owner/other", {"README.md": "hello"})
    await _visit(watched.traffic, "gh/owner/other/main", 1)
    await watched.prometheus.wait_until_fires("BinderProviderQuotaLow")


async def _all_places_are_taken(watched: WatchedFederation) -> None:
    """gamma, which tells no load and so is never full, is away meanwhile."""
    await watched.gamma.stop()
    await watched.prometheus.wait_until_fires("BinderMemberDown")
    for number in range(60):
        if "BinderNoEligibleMember" in await watched.prometheus.firing():
            break
        await _visit(watched.traffic, f"gh/owner/r{number}/{number:040x}", 2)
    await watched.prometheus.wait_until_fires("BinderNoEligibleMember")
    await watched.prometheus.wait_until_fires("BinderCapacityNearlyUsed")
    await watched.gamma.start()


async def _the_policy_file_breaks(watched: WatchedFederation) -> None:
    watched.policy_file.write_text("quotas: [these, are, none")
    await watched.prometheus.wait_until_fires("BinderPolicyFileBroken")


async def _redis_goes_away(watched: WatchedFederation) -> None:
    watched.redis.stop()
    await watched.prometheus.wait_until_fires("BinderRedisUnreachable")


async def _members_vanish(watched: WatchedFederation) -> None:
    await watched.agents["beta"].stop()
    await watched.prometheus.wait_until_fires("BinderMemberDown")
    await watched.agents["alpha"].stop()
    await watched.gamma.stop()
    await watched.prometheus.wait_until_fires("BinderReplicaSuspectsItself")
    await watched.prometheus.wait_until_fires("BinderPanic")
    await _launches_fail(watched)
    await watched.prometheus.wait_until_fires("BinderLaunchesFail")
    await watched.prometheus.wait_until_fires("BinderFirstAttemptSuccessLow")
    await watched.prometheus.wait_until_fires("BinderSteeringStale")


async def _launches_fail(watched: WatchedFederation) -> None:
    """In rounds: what a counter had when it was first scraped is no growth for Prometheus.

    Before them, until the members' last words are too old to count: that they are full.
    """
    before = await _failed(watched)

    async def one_fails() -> bool:
        await _visit(watched.traffic, f"gh/owner/r1/{1:040x}", 1)
        return await _failed(watched) > before

    await eventually(one_fails, what="a launch to fail, not to be refused", within_seconds=60)
    before = await _failed(watched)
    for number in range(1, ROUNDS + 1):
        await _visit(watched.traffic, f"gh/owner/r1/{1:040x}", FAILING_LAUNCHES)
        expected = before + number * FAILING_LAUNCHES

        async def are_scraped(expected: float = expected) -> bool:
            return await _failed(watched) >= expected

        await eventually(are_scraped, what=f"{expected:.0f} failed launches", within_seconds=60)


async def _failed(watched: WatchedFederation) -> float:
    """Launches that failed; that all members were full is nobody's failure."""
    asked = 'sum(binderfed_launches_total{outcome!~"ready|pod_quota"})'
    return sum([each.value for each in await watched.prometheus.ask(asked)])


async def _replicas_vanish(watched: WatchedFederation) -> None:
    await watched.replicas[0].kill()
    await watched.prometheus.wait_until_fires("BinderReplicaDown")
    await watched.replicas[1].kill()
    await watched.prometheus.wait_until_fires("BinderFederationAbsent")


async def _visit(traffic: Traffic, path: str, times: int) -> None:
    await traffic.once_each([path] * times)
