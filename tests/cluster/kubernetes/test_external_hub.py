"""A member whose hub somebody else runs, set up as docs/zero-to-jupyterhub.md says."""

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from binder_federation.cluster_agent.stacks.base import StackNotReady
from binder_federation.cluster_agent.stacks.managed_hub.hub import HubPlan, ManagedHub
from binder_federation.config.agent import AgentLaunchSettings
from binder_federation.config.stacks.kubernetes import KubernetesHubSettings
from tests.support.eventually import eventually
from tests.support.kubernetes_stack import LaunchSite, launch_site, namespace, stack_settings
from tests.support.z2jh_hub import ROOT, documented_token


@asynccontextmanager
async def hub_of_somebody(
    folder: Path, name: str, *, lacking_scopes: Sequence[str] = ()
) -> AsyncIterator[ManagedHub]:
    plan = HubPlan(
        folder=folder / "hub",
        owner_mark=str(folder),
        host="127.0.0.1",
        port=0,
        port_setting="none",
        most_sessions=10,
        spawner_module="tests.support.z2jh_hub",
        spawner={"namespace": name, "lacking_scopes": list(lacking_scopes)},
        variables={"KUBECONFIG": os.environ["KUBECONFIG"], "PYTHONPATH": str(ROOT)},
    )
    hub = ManagedHub(launch=AgentLaunchSettings(), plan=plan)
    try:
        await hub.start()
        yield hub
    finally:
        await hub.aclose()


@asynccontextmanager
async def member(
    folder: Path, name: str, hub: ManagedHub | KubernetesHubSettings, token: str
) -> AsyncIterator[LaunchSite]:
    settings = stack_settings(
        folder / "state",
        name,
        kubernetes={
            "hub": {
                "mode": "external",
                "api_url": hub.api_url,
                "api_token": token,
                "public_url": hub.public_url,
            }
        },
    )
    renamed = settings.model_copy(update={"name": "uni-a"})
    async with launch_site(renamed) as site:
        yield site


async def test_the_documents_hub_launches_for_the_agent(
    kubeconfig: str, base_image: str, tmp_path: Path
) -> None:
    async with (
        namespace() as name,
        hub_of_somebody(tmp_path, name) as hub,
        member(tmp_path, name, hub, documented_token()) as site,
    ):
        assert all(check.ok for check in await site.stack.checks())
        session = await site.hub.launch(base_image, repo_url="https://x.org/$(r)", mem_limit="1G")
        assert session.last_event.get("ready") is True, session.last_event

        async def answers() -> bool:
            return (await site.hub.visit(session, "api/status")).status_code == 200

        await eventually(answers, what="the server to answer")
        told = await site.run(session, "import os; print(*os.environ.items())")
        assert "('BINDER_REPO_URL', 'https://x.org/$(r)')" in told
        assert "JUPYTERHUB_API_TOKEN" not in told
        pod = await site.pod_of(session)  # found by the labels that housekeeping uses
        [container] = pod["spec"]["containers"]
        assert container["resources"]["limits"]["memory"] == str(1 << 30)
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert pod["metadata"]["labels"]["binder-federation.org/member"] == "uni-a"


async def test_a_token_that_may_too_little_is_told(kubeconfig: str, tmp_path: Path) -> None:
    async with namespace() as name:
        async with hub_of_somebody(tmp_path, name, lacking_scopes=["servers"]) as hub:
            with pytest.raises(StackNotReady, match=r"lacks the scopes .*servers.* start and stop"):
                async with member(tmp_path, name, hub, documented_token()):
                    pass
            with pytest.raises(StackNotReady, match="does not accept"):
                async with member(tmp_path, name, hub, "another-token"):
                    pass
            gone = KubernetesHubSettings(api_url=hub.api_url, public_url=hub.public_url)
        with pytest.raises(StackNotReady, match="No JupyterHub answers"):
            async with member(tmp_path, name, gone, documented_token()):
                pass
