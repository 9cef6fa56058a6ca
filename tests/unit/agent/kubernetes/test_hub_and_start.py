"""What must hold before the stack starts."""

import pytest

from binder_federation.cluster_agent.stacks.base import StackNotReady
from binder_federation.cluster_agent.stacks.kubernetes.hub import (
    NEEDED_SCOPES,
    ExternalHub,
    missing_scopes,
)
from binder_federation.cluster_agent.stacks.kubernetes.start_checks import check_settings
from binder_federation.config.stacks.kubernetes import (
    KubernetesHubSettings,
    KubernetesStackSettings,
)


def test_a_scope_for_some_users_only_is_not_enough() -> None:
    have = {scope for scope in NEEDED_SCOPES if scope != "servers"} | {"servers!group=a"}
    assert missing_scopes(have) == ["servers"]
    assert missing_scopes(NEEDED_SCOPES) == []


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ({}, "kubernetes.hub.api_url"),
        ({"api_url": "http://hub:8081/hub/api"}, "kubernetes.hub.api_token"),
        ({"api_url": "http://hub:8081/hub/api", "api_token": "t"}, "kubernetes.hub.public_url"),
    ],
)
def test_an_external_hub_needs_its_settings(given: dict[str, str], advice: str) -> None:
    with pytest.raises(StackNotReady) as refused:
        ExternalHub(settings=KubernetesHubSettings.model_validate({"mode": "external", **given}))
    assert advice in refused.value.advice


def test_browsers_must_find_the_hub() -> None:
    with pytest.raises(StackNotReady) as refused:
        check_settings(KubernetesStackSettings())
    assert "kubernetes.hub.public_url" in refused.value.advice
    check_settings(KubernetesStackSettings(hub=KubernetesHubSettings(host="127.0.0.1")))
