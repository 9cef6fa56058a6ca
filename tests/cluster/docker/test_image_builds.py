"""The process that makes images, against a real engine: verdicts, pushes, ends, what is left."""

import asyncio
import base64
import json
import os
import secrets
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from binder_federation.binder.events import Phase
from binder_federation.cluster_agent.stacks.repo2docker.output import read_line
from tests.support.docker_stack import docker, dockerfile
from tests.support.eventually import eventually
from tests.support.git_repositories import GitRepository, make_repository
from tests.support.image_builds import ImageBuild, image_build, make_image, order_for

pytestmark = pytest.mark.usefixtures("docker_engine")


@pytest.fixture
def reference() -> Iterator[str]:
    """A name for an image on the engine, which is free again afterwards."""
    name = f"binderfed-test/{secrets.token_hex(6)}:one"
    yield name
    if has_image(name):
        docker("image", "rm", "--force", name)


@pytest.fixture
def remote_reference(registry: str) -> Iterator[str]:
    """The same in the registry."""
    name = f"{registry}/binderfed-test/{secrets.token_hex(6)}:one"
    yield name
    if has_image(name):
        docker("image", "rm", "--force", name)


def has_image(reference: str) -> bool:
    return bool(docker("image", "ls", "--quiet", reference))


def repository_of(tmp_path: Path, base_image: str, *lines: str) -> GitRepository:
    return make_repository(tmp_path / "repository", dockerfile(base_image, *lines))


def assert_nothing_is_left(build: ImageBuild) -> None:
    assert list(build.temporary.iterdir()) == [], "the scratch folder is still there"
    left = [line for line in command_lines() if str(build.temporary) in line]
    assert left == [], "a tool of the build still runs"


async def test_an_image_with_its_labels(tmp_path: Path, base_image: str, reference: str) -> None:
    repository = repository_of(tmp_path, base_image, "COPY index.ipynb /home/jovyan/")
    order = order_for(repository, reference, labels={"org.binder-federation.key": "k"})
    build = await make_image(order, tmp_path / "build")
    assert build.last.phase is Phase.BUILT, build.text + build.errors
    assert build.last.fields["size_bytes"] > 1_000_000
    phases = list(dict.fromkeys(line.phase for line in build.lines))
    assert phases == [Phase.FETCHING, Phase.BUILDING, Phase.BUILT]
    labels = json.loads(docker("image", "inspect", "-f", "{{json .Config.Labels}}", reference))
    assert labels["org.binder-federation.key"] == "k"
    assert labels["repo2docker.repo"] == repository.file_url
    assert labels["repo2docker.ref"] == repository.head()
    assert read_line(build.last_line_file.read_text()) == build.last
    assert build.process.returncode == 0
    assert_nothing_is_left(build)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["RUN echo why >&2 && false"], "A step of the build failed"),
        (["COPY nowhere.txt /"], "copies a file that is not there"),
        (["NONSENSE"], "cannot be understood"),
        (["USER root"], "leaves `root` as the user"),
    ],
    ids=["step", "copy", "parse", "root"],
)
async def test_what_is_the_repositorys_fault(
    tmp_path: Path, base_image: str, reference: str, lines: list[str], words: str
) -> None:
    repository = repository_of(tmp_path, base_image, *lines)
    build = await make_image(order_for(repository, reference, refuse_root=True), tmp_path / "build")
    assert build.last.phase is Phase.FAILED, build.text
    assert build.last.fields["fault"] == "repository", build.text
    assert words in build.last.message
    assert not has_image(reference), "an image that may not be launched has a name"
    assert build.process.returncode == 1
    assert_nothing_is_left(build)


async def test_a_base_image_that_nobody_has(tmp_path: Path, registry: str, reference: str) -> None:
    repository = repository_of(tmp_path, f"{registry}/nowhere/{secrets.token_hex(4)}:1")
    build = await make_image(order_for(repository, reference), tmp_path / "build")
    assert build.last.fields.get("fault") == "repository", build.text
    assert "does not exist, or is private" in build.last.message


async def test_an_engine_that_is_gone_is_the_members_fault(
    tmp_path: Path, base_image: str, reference: str
) -> None:
    repository = repository_of(tmp_path, base_image)
    nowhere = {"DOCKER_HOST": f"unix://{tmp_path}/nowhere.sock"}
    build = await make_image(
        order_for(repository, reference), tmp_path / "build", variables=nowhere
    )
    assert build.last.fields.get("fault") == "member", build.text
    assert "does not answer" in build.last.message
    assert_nothing_is_left(build)


async def test_a_missing_subdirectory(tmp_path: Path, base_image: str, reference: str) -> None:
    order = order_for(repository_of(tmp_path, base_image), reference, subdirectory="nowhere")
    build = await make_image(order, tmp_path / "build")
    assert build.last.fields.get("fault") == "repository", build.text
    assert "no folder `nowhere`" in build.last.message


async def test_a_module_in_the_repository_is_not_imported(
    tmp_path: Path, base_image: str, reference: str
) -> None:
    files = dict(dockerfile(base_image))
    for name in ("yaml.py", "docker.py", "repo2docker.py", "logging.py", "sitecustomize.py"):
        files[name] = f"open({str(tmp_path / 'imported')!r}, 'w').close()\n"
    repository = make_repository(tmp_path / "repository", files)
    build = await make_image(order_for(repository, reference), tmp_path / "build")
    assert build.last.phase is Phase.BUILT, build.text + build.errors
    assert not (tmp_path / "imported").exists(), "a stranger's code ran on this machine"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_a_build_that_is_stopped_leaves_nothing_behind(
    tmp_path: Path, base_image: str, reference: str, number: signal.Signals
) -> None:
    marker = secrets.token_hex(8)
    repository = repository_of(tmp_path, base_image, f"RUN sleep 600; echo {marker}")

    async def the_step_runs() -> bool:
        return any(marker in line for line in command_lines())

    async def the_step_has_ended() -> bool:
        return not await the_step_runs()

    async with image_build(order_for(repository, reference), tmp_path / "build") as build:
        await build.read_until(Phase.BUILDING, "RUN sleep 600")
        await eventually(the_step_runs, what="the build's step to begin")
        build.process.send_signal(number)
        await build.finish()

    await eventually(the_step_has_ended, what="the engine to end the build's step")
    assert not has_image(reference)
    if number is signal.SIGTERM:
        assert build.last.message == "The build was stopped."
        assert build.last.fields["fault"] == "member"
        assert_nothing_is_left(build)


async def test_a_build_that_takes_too_long(tmp_path: Path, base_image: str, reference: str) -> None:
    repository = repository_of(tmp_path, base_image, "RUN sleep 600")
    order = order_for(repository, reference, timeout_seconds=6.0)
    build = await make_image(order, tmp_path / "build")
    assert build.last.message == "The build took longer than 6 seconds.", build.text
    assert build.last.fields["fault"] == "member"
    assert_nothing_is_left(build)


async def test_a_push_with_progress(tmp_path: Path, base_image: str, remote_reference: str) -> None:
    line = "RUN head -c 30000000 /dev/urandom > /home/jovyan/data"
    order = order_for(repository_of(tmp_path, base_image, line), remote_reference, push="engine")
    build = await make_image(order, tmp_path / "build")
    assert build.last.phase is Phase.BUILT, build.text
    assert build.last.fields["digest"].startswith("sha256:")
    progress = [line.fields["progress"] for line in build.lines if "progress" in line.fields]
    assert progress, "a push that says nothing"
    assert progress[-1]["done"] == progress[-1]["layers"] > 1
    docker("image", "rm", "--force", remote_reference)
    docker("pull", "--quiet", remote_reference)


async def test_a_registry_that_nobody_reaches(
    tmp_path: Path, base_image: str, unused_tcp_port: int
) -> None:
    name = f"127.0.0.1:{unused_tcp_port}/binderfed-test/x:one"
    order = order_for(repository_of(tmp_path, base_image), name, push="engine")
    build = await make_image(order, tmp_path / "build")
    assert build.last.fields.get("fault") == "member", build.text
    assert "cannot be reached" in build.last.message
    assert not has_image(name), "what is not in the registry counts as not built"


async def hang(request: web.Request) -> web.StreamResponse:
    """A registry that takes a layer and never says so."""
    if request.path == "/v2/":
        return web.json_response({})
    if request.method == "HEAD":
        return web.Response(status=404)
    if request.method == "POST":
        location = f"{request.path}one"
        return web.Response(status=202, headers={"Location": location, "Range": "0-0"})
    await asyncio.Event().wait()
    return web.Response()


@pytest.fixture
async def hanging_registry() -> AsyncIterator[str]:
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", hang)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_a_push_that_stands_still_is_ended(
    tmp_path: Path, base_image: str, hanging_registry: str
) -> None:
    name = f"{hanging_registry}/binderfed-test/x:one"
    order = order_for(
        repository_of(tmp_path, base_image), name, push="engine", push_stall_seconds=2.0
    )
    build = await make_image(order, tmp_path / "build")
    assert "made no progress for 2 seconds" in build.last.message, build.text
    assert build.last.fields["fault"] == "member"
    assert not has_image(name)


async def refuse(request: web.Request) -> web.Response:
    """A registry that lets somebody in and lets them do nothing; it notes who came."""
    request.app[SEEN].append(request.headers.get("Authorization", ""))
    if "Authorization" not in request.headers:
        challenge = {"WWW-Authenticate": 'Basic realm="test"'}
        return web.Response(status=401, headers=challenge)
    if request.path == "/v2/":
        return web.json_response({})
    return web.json_response({"errors": [{"code": "DENIED", "message": "no"}]}, status=403)


SEEN: web.AppKey[list[str]] = web.AppKey("seen", list)


@pytest.fixture
async def refusing_registry() -> AsyncIterator[tuple[str, list[str]]]:
    app = web.Application()
    seen: list[str] = []
    app[SEEN] = seen
    app.router.add_route("*", "/{path:.*}", refuse)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"127.0.0.1:{runner.addresses[0][1]}", seen
    await runner.cleanup()


async def test_a_login_is_used_and_told_to_nobody(
    tmp_path: Path, base_image: str, refusing_registry: tuple[str, list[str]]
) -> None:
    host, seen = refusing_registry
    password = secrets.token_hex(16)
    login = base64.b64encode(f"somebody:{password}".encode()).decode()
    (tmp_path / "login").mkdir()
    (tmp_path / "login/config.json").write_text(json.dumps({"auths": {host: {"auth": login}}}))
    order = order_for(
        repository_of(tmp_path, base_image), f"{host}/binderfed-test/x:one", push="engine"
    )
    build = await make_image(
        order, tmp_path / "build", variables={"DOCKER_CONFIG": str(tmp_path / "login")}
    )
    assert "does not accept its images" in build.last.message, build.text
    assert build.last.fields["fault"] == "member"
    assert f"Basic {login}" in seen, "the login was not used"
    assert password not in build.text + build.errors
    assert login not in build.text + build.errors


def command_lines() -> list[str]:
    """Of all processes that this user may see, also those in containers."""
    lines = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                text = Path(entry.path, "cmdline").read_bytes()
            except OSError:
                continue
            lines.append(text.replace(b"\0", b" ").decode("utf-8", "replace"))
    return lines


async def test_repositories_share_no_cache_mounts(
    tmp_path: Path, base_image: str, reference: str
) -> None:
    """What one wrote into a cache, another would read and run."""
    secret = secrets.token_hex(8)
    mount = f"RUN --mount=type=cache,id={secret},target=/cache,uid=1000"

    async def seen(repository: str, step: str) -> str:
        folder = tmp_path / secrets.token_hex(4)
        files = dockerfile(base_image, f"{mount} {step}")
        order = order_for(make_repository(folder, files), reference)
        order = order.model_copy(update={"repository": repository})
        build = await make_image(order, tmp_path / secrets.token_hex(4))
        assert build.last.phase is Phase.BUILT, build.text + build.errors
        return build.text

    ours, others = f"gh/owner/{secret}", f"gh/other/{secret}"
    await seen(ours, f"echo {secret} > /cache/left")
    assert f"found {secret}" in await seen(ours, "echo found $(cat /cache/left) # again")
    other = await seen(others, "echo found $(cat /cache/left 2>&1) # other")
    assert f"found {secret}" not in other
    argument = "ARG BUILDKIT_CACHE_MOUNT_NS=x\n" + mount
    folder = tmp_path / "argument"
    files = dockerfile(base_image, f"{argument} echo found $(cat /cache/left 2>&1)")
    order = order_for(make_repository(folder, files), reference)
    order = order.model_copy(update={"repository": others})
    build = await make_image(order, tmp_path / "argued")
    assert f"found {secret}" not in build.text, "a repository cannot choose another's"
