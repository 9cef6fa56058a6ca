"""Facts about places → a refusal or none."""

import pytest

from binder_federation.binder.errors import QuotaExceeded, RepositoryQuotaExceeded
from binder_federation.cluster_agent.core.quotas import Quota, Usage, find_refusal

QUOTA = Quota(sessions=10, sessions_per_repository=4)


@pytest.mark.parametrize(
    ("running", "pending", "of_repository", "expected"),
    [
        (0, 0, 0, None),
        (5, 4, 3, None),
        (5, 4, 4, RepositoryQuotaExceeded),
        (10, 0, 0, QuotaExceeded),
        (0, 10, 0, QuotaExceeded),
        (6, 5, 0, QuotaExceeded),
    ],
)
def test_pending_counts_like_running(
    running: int, pending: int, of_repository: int, expected: type[QuotaExceeded] | None
) -> None:
    usage = Usage(running, pending, {"gh/o/r": of_repository})
    refusal = find_refusal(usage, repository="gh/o/r", quota=QUOTA)
    assert (type(refusal) if refusal else None) is expected


def test_zero_is_maintenance() -> None:
    refusal = find_refusal(Usage(0, 0, {}), repository="gh/o/r", quota=Quota(0, 4))
    assert refusal is not None
    assert "maintenance" in refusal.message


def test_codes_are_binderhubs() -> None:
    full = find_refusal(Usage(10, 0, {}), repository="gh/o/r", quota=QUOTA)
    many = find_refusal(Usage(4, 0, {"gh/o/r": 4}), repository="gh/o/r", quota=QUOTA)
    assert full is not None
    assert many is not None
    assert (full.code, many.code) == ("pod_quota", "repo_quota")
    assert full.retry_after_seconds
