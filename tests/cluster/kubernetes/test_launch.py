"""Users' servers as pods of a real cluster, started by a managed hub outside of it."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from binder_federation.cluster_agent.core.server_names import ServerName
from binder_federation.cluster_agent.stacks.containers.refusals import (
    is_for_want_of_room,
    own_exit_code,
)
from tests.support.docker_stack import docker
from tests.support.eventually import eventually
from tests.support.kubectl import kubectl
from tests.support.kubernetes_stack import (
    LaunchSite,
    end_forcibly,
    launch_site,
    namespace,
    stack_settings,
)
from tests.support.local_stack import Session

pytestmark = pytest.mark.asyncio(loop_scope="module")

READ_ENVIRONMENT = """
import json, os
print(json.dumps({name: value for name, value in os.environ.items()
                  if name.startswith(("BINDER", "JUPYTERHUB", "KUBERNETES", "JUPYTER_IMAGE"))}))
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(
    kubeconfig: str, docker_engine: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[LaunchSite]:
    """One member for all tests: its hub takes seconds to start."""
    async with namespace() as name:
        settings = stack_settings(tmp_path_factory.mktemp("member") / "state", name)
        async with launch_site(settings) as found:
            yield found


async def launch(site: LaunchSite, image: str, **options: str) -> Session:
    session = await site.hub.launch(image, **options)
    assert session.last_event.get("ready") is True, session.last_event
    return session


async def stop(site: LaunchSite, *sessions: Session) -> None:
    for session in sessions:
        await site.hub.stop(session)


async def test_a_session_has_a_kernel_its_variables_and_its_resources(
    site: LaunchSite, base_image: str
) -> None:
    session = await launch(
        site,
        base_image,
        repo_url="https://example.org/r",
        binder_request="v2/gh/o/$(JUPYTER_TOKEN)/HEAD",
        mem_limit="768M",
        cpu_guarantee="0.25",
    )
    environment = json.loads(await site.run(session, READ_ENVIRONMENT))
    assert environment["BINDER_REPO_URL"] == "https://example.org/r"
    assert environment["BINDER_REQUEST"] == "v2/gh/o/$(JUPYTER_TOKEN)/HEAD", "it is not expanded"
    assert environment["JUPYTERHUB_SERVICE_PREFIX"] == f"/user/{session.user}/"
    assert not [name for name in environment if "TOKEN" in name or "API" in name], (
        "the hub's token and address are not for visitors"
    )
    assert not [name for name in environment if name.startswith("KUBERNETES_")] or (
        set(environment) & {"KUBERNETES_SERVICE_HOST"}
    ), "no Service but the cluster's own is named"

    spec = (await site.pod_of(session))["spec"]
    resources = spec["containers"][0]["resources"]
    assert resources["limits"]["memory"] == str(768 << 20), "the launch asked for it"
    assert resources["requests"]["memory"] == str(64 << 20), "the member's settings say so"
    assert resources["requests"]["cpu"] == "250m"
    assert spec["restartPolicy"] == "Never"
    await stop(site, session)


async def test_another_visitors_token_opens_nothing(site: LaunchSite, base_image: str) -> None:
    mine, theirs = await asyncio.gather(launch(site, base_image), launch(site, base_image))
    intruder = Session(theirs.user, mine.token, {})
    assert (await site.hub.visit(mine, "api/status")).status_code == 200
    assert (await site.hub.visit(intruder, "api/status")).status_code == 403
    assert (await site.hub.visit(intruder, "api/kernels", method="POST")).status_code == 403
    await stop(site, mine, theirs)


async def test_an_image_that_is_not_there_is_told_and_leaves_nothing(site: LaunchSite) -> None:
    session = await site.hub.launch("127.0.0.1:5000/klaunch/no-such-image:1")
    assert session.last_event["failed"] is True
    assert "The image cannot be pulled" in session.last_event["message"]
    await eventually(site.has_let_go, what="the pod that cannot start to be deleted")


@pytest.mark.parametrize(
    ("change", "exit_code"),
    [
        ('ENTRYPOINT ["false"]', 1),
        ("ENV PATH=/bin", 127),  # a shell, but no Jupyter
        ("ENV PATH=/nowhere", 127),
        ('ENTRYPOINT ["/nowhere"]', 127),
    ],
    ids=["entrypoint", "no jupyter", "no shell", "no entrypoint"],
)
async def test_an_image_whose_server_ends_early(
    site: LaunchSite, base_image: str, change: str, exit_code: int
) -> None:
    name = f"binderfed-test/{secrets.token_hex(4)}:one"
    made = docker("create", base_image, "true")
    docker("commit", "--change", change, made, name)
    docker("rm", made)
    try:
        session = await site.hub.launch(name)
    finally:
        docker("image", "rm", "--force", name)
    assert own_exit_code(session.last_event["message"]) == exit_code, session.last_event
    await eventually(site.has_let_go, what="the pod that ended to be deleted")


async def test_a_pod_that_somebody_deletes_ends_the_start(site: LaunchSite) -> None:
    """The image needs long to be refused, so there is time to delete the pod."""

    async def is_there() -> bool:
        return not await site.has_let_go()

    async with asyncio.TaskGroup() as group:
        image = "192.0.2.254:5000/klaunch/unreachable:1"
        following = group.create_task(site.hub.launch(image))
        await eventually(is_there, what="the pod")
        told = await kubectl("get", "pods", "-n", site.namespace, "-o", "name")
        for pod in told.split():
            await end_forcibly(site.namespace, pod.removeprefix("pod/"))
        session = await following
    assert "was deleted while it started" in session.last_event["message"]


async def test_a_quota_that_is_used_up_is_no_failure(site: LaunchSite, base_image: str) -> None:
    quota = ["quota", "full", "-n", site.namespace]
    await kubectl("create", *quota, "--hard=pods=0")
    try:
        session = await site.hub.launch(base_image)
    finally:
        await kubectl("delete", *quota)
    assert session.last_event["failed"] is True
    assert is_for_want_of_room(session.last_event["message"])
    assert site.namespace not in session.last_event["message"], "no words of the cluster's own"


async def test_nonsense_is_refused(site: LaunchSite, base_image: str) -> None:
    session = await site.hub.launch(base_image, mem_limit="very much")
    assert "mem" in session.last_event["message"]
    assert "make no sense" in session.last_event["message"]
    assert await site.has_let_go()


async def test_servers_outlive_the_agent(
    kubeconfig: str, base_image: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with namespace() as name:
        settings = stack_settings(tmp_path_factory.mktemp("restart") / "state", name)
        async with launch_site(settings) as before:
            session = await launch(before, base_image)
            await before.run(session, "print(1)")
        async with launch_site(settings) as after:
            assert await after.hub.users() == [session.user]
            await after.stack.tidy(known_servers=frozenset({ServerName(session.user)}))

            async def answers() -> bool:
                return (await after.hub.visit(session, "api/status")).status_code == 200

            await eventually(answers, what="the session to be found again")
            await stop(after, session)
            await eventually(after.has_let_go, what="its pod to be deleted")
