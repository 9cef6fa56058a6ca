"""What the chart's tests need beside a cluster: Helm."""

import pytest

from tests.support.helm import has_helm


@pytest.fixture(autouse=True, scope="session")
def helm() -> None:
    """Skips where the program is missing."""
    if not has_helm():
        pytest.skip("needs Helm: the program helm is missing")
