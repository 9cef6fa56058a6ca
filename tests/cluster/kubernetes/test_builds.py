"""Builds in pods of a real cluster, with a real engine and a real registry."""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from binder_federation.binder.errors import BuildFailed, MemberBuildFailed
from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.registry.credentials.base import RegistryLogin
from binder_federation.cluster_agent.stacks.base import BuildPlan
from binder_federation.cluster_agent.stacks.kubernetes.build_pod import BuildPod, make_pod
from binder_federation.cluster_agent.stacks.kubernetes.build_watch import BuildWatch
from binder_federation.cluster_agent.stacks.kubernetes.errors import ClusterUnavailable
from binder_federation.cluster_agent.stacks.repo2docker.ordering import make_order
from tests.support.eventually import eventually
from tests.support.kubectl import kubectl
from tests.support.kubernetes_builds import BuildSite, Progress, build_site
from tests.support.kubernetes_proxy import ClusterProxy
from tests.support.project_image import project_image
from tests.support.run_builder import write_task

LONG = "RUN echo long-step-begins; sleep 5; echo long-step-ends"
ENDLESS = "RUN echo endless-step-begins; sleep 300"
PASSWORD = "a-password-that-must-not-be-seen"


@pytest.fixture
async def site(
    tmp_path: Path, kubeconfig: str, docker_engine: str, registry: str, base_image: str
) -> AsyncIterator[BuildSite]:
    image = await asyncio.to_thread(project_image)
    async with build_site(tmp_path, registry=registry, image=image) as found:
        yield found


async def make_plan(site: BuildSite, base_image: str, *steps: str, name: str = "one") -> BuildPlan:
    """A repository whose Dockerfile has these steps."""
    dockerfile = "\n".join([f"FROM {base_image}", "COPY . /home/jovyan", *steps, ""])
    return await site.plan(site.server.create(name, {"Dockerfile": dockerfile}))


async def test_an_image_is_built_and_pushed(site: BuildSite, base_image: str) -> None:
    plan = await make_plan(site, base_image, "RUN echo hello-from-the-build")
    builder, progress = await site.builder(), Progress()
    image = await builder.build(plan, progress)
    assert image.key == plan.key
    assert image.reference.startswith(f"{site.settings.registry.repository}:one-")
    assert image.size_bytes > 1_000_000, "its size is the registry's"
    assert progress.phases == [Phase.WAITING, Phase.FETCHING, Phase.BUILDING, Phase.PUSHING]
    assert "hello-from-the-build" in progress.text
    await eventually(site.has_nothing_left, what="the pod and its Secret to be gone")


async def test_two_agents_share_one_build(site: BuildSite, base_image: str) -> None:
    plan = await make_plan(site, base_image, LONG)
    one, other = await site.builder(), await site.builder()
    first, second = Progress(), Progress()
    async with asyncio.TaskGroup() as group:
        builds = [group.create_task(one.build(plan, first))]
        await eventually(lambda: told(first, "long-step-begins"), what="the first build to run")
        builds.append(group.create_task(other.build(plan, second)))
        await eventually(lambda: told(second, "long-step-begins"), what="the second to watch")
        assert len(await site.pods()) == 1, "there were two builds of one image"
        watching = Progress()
        leaving = group.create_task((await site.builder()).build(plan, watching))
        await eventually(lambda: told(watching, "long-step-begins"), what="the third to watch")
        leaving.cancel()
    assert builds[0].result() == builds[1].result()
    assert "watching that build" in second.text
    await eventually(site.has_nothing_left, what="the pod and its Secret to be gone")


async def test_a_failing_step_is_the_repositorys(site: BuildSite, base_image: str) -> None:
    plan = await make_plan(site, base_image, "RUN echo it-fails-here; exit 3")
    builder, progress = await site.builder(), Progress()
    with pytest.raises(BuildFailed):
        await builder.build(plan, progress)
    assert "it-fails-here" in progress.text
    [pod] = await site.pods()
    assert pod["status"]["phase"] == "Failed", "it is kept for the operator"
    with pytest.raises(BuildFailed):
        await builder.build(plan, Progress())
    [again] = await site.pods()
    assert again["metadata"]["uid"] != pod["metadata"]["uid"], "the next request builds anew"

    site.change(kept_seconds=0.1)
    reaper = await site.builder()

    async def is_reaped() -> bool:
        await reaper.reap_builds()
        return await site.has_nothing_left()

    await eventually(is_reaped, what="the failed build's pod to be reaped")


async def test_a_pod_that_is_killed_is_the_members(site: BuildSite, base_image: str) -> None:
    plan = await make_plan(site, base_image, ENDLESS)
    builder, progress = await site.builder(), Progress()
    async with asyncio.TaskGroup() as group:
        build = group.create_task(failure_of(builder.build(plan, progress)))
        await eventually(lambda: told(progress, "endless-step-begins"), what="the step to begin")
        [pod] = await site.pods()
        await kubectl(
            "delete", "pod", "-n", site.namespace, pod["metadata"]["name"], "--wait=false"
        )
    assert "deleted" in build.result() or "stopped" in build.result()
    await eventually(site.is_let_go, what="the pod to be deleted")


async def test_a_build_that_is_cancelled_leaves_nothing(site: BuildSite, base_image: str) -> None:
    plan = await make_plan(site, base_image, ENDLESS)
    builder, progress = await site.builder(), Progress()
    async with asyncio.TaskGroup() as group:
        build = group.create_task(builder.build(plan, progress))
        await eventually(lambda: told(progress, "endless-step-begins"), what="the step to begin")
        build.cancel()
    await eventually(site.is_let_go, what="the pod to be deleted")


async def test_a_killed_agent_is_followed_by_one_that_goes_on(
    site: BuildSite, base_image: str, tmp_path: Path
) -> None:
    plan = await make_plan(site, base_image, LONG)
    write_task(tmp_path / "task.json", site.settings, plan)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.run_builder", str(tmp_path / "task.json"),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async for line in process.stdout:
        if b"long-step-begins" in line:
            break
    [pod] = await site.pods()
    process.send_signal(signal.SIGKILL)
    await process.wait()
    progress = Progress()
    builder = await site.builder()
    async with asyncio.TaskGroup() as group:
        build = group.create_task(builder.build(plan, progress))
        await eventually(lambda: told(progress, "long-step-begins"), what="the log to be read")
        [now] = await site.pods()
        assert now["metadata"]["uid"] == pod["metadata"]["uid"], "it was built a second time"
    assert build.result().key == plan.key
    await eventually(site.has_nothing_left, what="the pod and its Secret to be gone")


async def test_an_agent_killed_before_it_made_the_secret(site: BuildSite, base_image: str) -> None:
    plan = await make_plan(site, base_image)
    order = make_order(plan, settings=site.settings)
    build = BuildPod(key=plan.key, order=order, member=site.settings.name, nonce="lost")
    api = await site.api()
    await api.create_pod(make_pod(build, site.settings.kubernetes.build, site.settings.isolation))
    image = await (await site.builder()).build(plan, Progress())
    assert image.key == plan.key


async def test_nothing_secret_is_in_the_pod(site: BuildSite, base_image: str) -> None:
    class Login:
        async def fetch(self) -> RegistryLogin:
            return RegistryLogin("pusher", PASSWORD)

    plan = await make_plan(site, base_image, LONG)
    login = Login()
    builder, progress = await site.builder(credentials=login), Progress()
    async with asyncio.TaskGroup() as group:
        group.create_task(builder.build(plan, progress))
        await eventually(lambda: told(progress, "long-step-begins"), what="the step to begin")
        [pod] = await site.pods()
        [secret] = await site.secrets()
    shown = json.dumps(pod)
    encoded = (await login.fetch()).to_base64()
    assert PASSWORD not in shown
    assert encoded not in shown
    assert PASSWORD not in progress.text
    assert encoded not in progress.text
    assert secret.startswith(pod["metadata"]["name"])


async def test_builds_go_on_without_their_log(site: BuildSite, base_image: str) -> None:
    """2019-02-20: the endpoint of logs was down, and every build with it."""
    async with ClusterProxy() as proxy:
        proxy.fails = lambda request: request.path.endswith("/log")
        api = proxy.client(site.namespace)
        builder, progress = await site.builder(api=api), Progress()
        image = await builder.build(await make_plan(site, base_image, LONG), progress)
        assert image.size_bytes
        assert "cannot be read" in progress.text
        failing = await make_plan(site, base_image, "RUN exit 3", name="failing")
        with pytest.raises(BuildFailed):
            await builder.build(failing, progress)
        assert proxy.failed > 1, "the log was not asked for again"


async def test_lost_connections_are_made_again(site: BuildSite, base_image: str) -> None:
    async with ClusterProxy() as proxy:
        api = proxy.client(site.namespace)
        builder, progress = await site.builder(api=api), Progress()
        plan = await make_plan(site, base_image, LONG)
        async with asyncio.TaskGroup() as group:
            build = group.create_task(builder.build(plan, progress))
            await eventually(lambda: told(progress, "long-step-begins"), what="the step to begin")
            assert proxy.cut() > 1, "neither a watch nor a log was open"
        assert build.result().key == plan.key
        said = [line.rpartition(" ")[2] for line in progress.lines if " RUN " not in line]
        steps = [word for word in said if word.startswith("long-step")]
        assert steps == ["long-step-begins", "long-step-ends"], "lines came twice, or were lost"
        resumed = [path for path in proxy.seen if "/log" in path and "sinceTime" in path]
        assert resumed, "the log was read from its beginning again"


async def test_what_gets_no_answer_is_sent_again(site: BuildSite) -> None:
    async with ClusterProxy() as proxy:
        proxy.fails = lambda request: request.method == "POST"
        api = proxy.client(site.namespace)
        create = api.create_pod({}, is_repeated=True, deadline=soon(1))
        outcome = (await asyncio.gather(create, return_exceptions=True))[0]
        assert isinstance(outcome, ClusterUnavailable)
        assert proxy.failed > 1, "it was not tried again"


async def test_a_quota_without_room_stops_builds(site: BuildSite, base_image: str) -> None:
    await kubectl("create", "quota", "none", "-n", site.namespace, "--hard=pods=0")

    async def is_enforced() -> bool:
        told = await kubectl("get", "quota", "none", "-n", site.namespace, "-o", "json")
        return "hard" in json.loads(told).get("status", {})

    await eventually(is_enforced, what="the quota to be enforced")
    builder = await site.builder()
    room_before = builder.room
    message = await failure_of(builder.build(await make_plan(site, base_image), Progress()))
    assert "quota" in message
    assert (room_before.can_build, builder.room.can_build) == (True, False)
    assert await site.has_nothing_left()


async def test_a_builder_that_cannot_be_pulled(site: BuildSite, base_image: str) -> None:
    site.change(image=f"{site.settings.registry.repository}/none:1")
    message = await failure_of(
        (await site.builder()).build(await make_plan(site, base_image), Progress())
    )
    assert "image is not to be had" in message
    await eventually(site.is_let_go, what="the pod to be deleted")


async def test_no_engine_on_the_node(site: BuildSite, base_image: str) -> None:
    site.change(engine_socket="/run/there-is-no-engine.sock")
    began = time.monotonic()
    message = await failure_of(
        (await site.builder()).build(await make_plan(site, base_image), Progress())
    )
    assert "no container engine" in message
    assert time.monotonic() - began < 45, "it was not noticed before the deadline"
    await eventually(site.is_let_go, what="the pod to be deleted")


async def test_no_node_that_takes_it(site: BuildSite, base_image: str) -> None:
    site.change(node_selector={"binder-federation.org/nowhere": "true"}, starting_seconds=2)
    message = await failure_of(
        (await site.builder()).build(await make_plan(site, base_image), Progress())
    )
    assert "No machine of the member had room" in message
    await eventually(site.is_let_go, what="the pod to be deleted")


async def test_too_little_memory(site: BuildSite, base_image: str) -> None:
    site.change(memory_request="20Mi", memory_limit="20Mi")
    message = await failure_of(
        (await site.builder()).build(await make_plan(site, base_image, LONG), Progress())
    )
    assert "memory" in message


async def test_a_repository_that_is_larger_than_the_scratch_space(
    site: BuildSite, base_image: str
) -> None:
    """The node looks every ten seconds, and evicts who wrote too much."""
    site.change(scratch_limit="1Mi")
    steps = f"FROM {base_image}\nCOPY . /home/jovyan\n{ENDLESS}\n"
    large = "".join(f"{number:08}\n" for number in range(1_000_000))
    repository = site.server.create("large", {"Dockerfile": steps, "large.txt": large})
    message = await failure_of(
        (await site.builder()).build(await site.plan(repository), Progress())
    )
    assert "ran out of disk" in message


async def test_the_build_takes_too_long(site: BuildSite, base_image: str) -> None:
    build = site.settings.build.model_copy(update={"timeout_seconds": 2.0})
    site.settings = site.settings.model_copy(update={"build": build})
    message = await failure_of(
        (await site.builder()).build(await make_plan(site, base_image, ENDLESS), Progress())
    )
    assert "longer than 2 seconds" in message


async def test_the_cluster_ends_what_does_not_end(site: BuildSite, base_image: str) -> None:
    plan = await make_plan(site, base_image, ENDLESS)
    order = make_order(plan, settings=site.settings)
    build = BuildPod(key=plan.key, order=order, member=site.settings.name, nonce="endless")
    manifest = make_pod(build, site.settings.kubernetes.build, site.settings.isolation)
    spec = manifest["spec"]
    spec |= {"activeDeadlineSeconds": 3, "volumes": [], "terminationGracePeriodSeconds": 1}
    spec["containers"][0] |= {"args": ["sleep", "300"], "volumeMounts": []}
    api = await site.api()
    pod = await api.create_pod(manifest)
    watch = BuildWatch(api=api, pod=pod, progress=Progress(), starting_seconds=30)
    outcome = await watch.follow(deadline=soon(60))
    assert isinstance(outcome, MemberBuildFailed)
    assert "too long" in outcome.message


async def told(progress: Progress, words: str) -> bool:
    """Whether the log has the words as a step's output (not as the step itself)."""
    return any(line.endswith(words) for line in progress.lines)


async def failure_of(build: object) -> str:
    """What the build says that it failed with; it is the member's."""
    assert asyncio.iscoroutine(build)
    with pytest.raises(MemberBuildFailed) as caught:
        await build
    return caught.value.message


def soon(seconds: float) -> float:
    """The event loop's time then."""
    return asyncio.get_running_loop().time() + seconds
