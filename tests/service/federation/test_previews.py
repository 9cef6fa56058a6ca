"""Previews of notebooks: a real federation, a real host of files, real processes that render."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from binder_federation.binder.providers.base import Missing, Resolved
from binder_federation.binder.ref_cache import CachedRef, ref_key
from binder_federation.binder.spec import LaunchSpec
from binder_federation.federation.previews.fetching import FetchingFailed, Files
from binder_federation.federation.previews.sources import FileAddress
from tests.support.attacks import hostile_notebook
from tests.support.fake_member import FakeMember
from tests.support.federation_server import SHA, FederationServer, running_federation
from tests.support.file_host import FileHost, file_host
from tests.support.notebook_files import cell, notebook

NOTEBOOK = notebook(cell("markdown", "# A title"))


# One federation for all of them: a process that renders takes a second to start.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[tuple[FederationServer, FileHost]]:
    member = FakeMember("alpha")
    await member.start()
    async with (
        file_host() as host,
        running_federation([member], pages={"preview_raw_url": host.url}) as federation,
    ):
        yield federation, host
    await member.stop()


@pytest.fixture
def federation(running: tuple[FederationServer, FileHost]) -> FederationServer:
    return running[0]


@pytest.fixture
def host(running: tuple[FederationServer, FileHost]) -> FileHost:
    return running[1]


@dataclass(frozen=True)
class Repository:
    """A repository of one test, with a notebook at one commit."""

    name: str

    @property
    def path(self) -> str:
        return f"/preview/gh/owner/{self.name}/{SHA}"

    def file(self, name: str = "index.ipynb") -> str:
        return f"owner/{self.name}/{SHA}/{name}"


@pytest_asyncio.fixture(loop_scope="module")
async def repository(
    request: pytest.FixtureRequest, federation: FederationServer, host: FileHost
) -> Repository:
    made = Repository(hashlib.sha256(request.node.name.encode()).hexdigest()[:12])
    host.files[made.file()] = NOTEBOOK
    host.asked.clear()
    host.status = 200
    await resolve(federation, LaunchSpec("gh", f"owner/{made.name}", SHA), Resolved(SHA))
    return made


async def resolve(
    federation: FederationServer, spec: LaunchSpec, answer: Resolved | Missing
) -> None:
    """As a launch of `spec` does."""
    now = federation.context.clock()
    learned = CachedRef(answer, learned_at=now, asked_at=now)
    await federation.context.shared.refs.put(ref_key(spec), learned)


async def status(federation: FederationServer, path: str, file: str) -> int:
    return (await federation.client.get(path, params={"path": file})).status_code


async def test_a_notebook_is_shown_where_it_can_do_nothing(
    federation: FederationServer, repository: Repository
) -> None:
    answer = await federation.client.get(repository.path, params={"path": "index.ipynb"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<h1>A title</h1>" in answer.text
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "sandbox allow-popups allow-popups-to-escape-sandbox"
    assert {"default-src 'none'", "img-src data:", "frame-ancestors 'self'"} <= set(policy)
    assert "unsafe" not in str(policy)
    assert "script-src" not in str(policy)


async def test_a_file_is_fetched_and_rendered_once(
    federation: FederationServer, host: FileHost, repository: Repository
) -> None:
    asked = (status(federation, repository.path, "index.ipynb") for _ in range(5))
    assert await asyncio.gather(*asked) == [200] * 5
    head = await federation.client.head(repository.path, params={"path": "index.ipynb"})
    assert head.status_code == 200
    assert host.asked == [repository.file()]


async def test_a_hostile_notebook_brings_no_script(
    federation: FederationServer, host: FileHost, repository: Repository
) -> None:
    host.files[repository.file()] = hostile_notebook()
    answer = await federation.client.get(repository.path, params={"path": "index.ipynb"})
    assert answer.status_code == 200
    for attack in ("<script", "onerror=alert(1)>", 'href="javascript', "<iframe", "<svg"):
        assert attack not in answer.text
    assert answer.text.count("<style>") == 1


@pytest.mark.parametrize("file", ["missing.ipynb", "", "data.csv", "../../../secret.ipynb"])
async def test_what_cannot_be_shown_is_no_error(
    federation: FederationServer, repository: Repository, file: str
) -> None:
    assert await status(federation, repository.path, file) == 204


@pytest.mark.parametrize(
    "path",
    [
        "/preview/git/https%3A%2F%2Fhost.test%2Fr/HEAD",
        "/preview/gh/owner/name/main",
        f"/preview/gh/owner/name/{SHA}",
        f"/preview/gist/user/{'1' * 32}/{SHA}",
    ],
)
async def test_nobody_is_asked_what_no_launch_resolved(
    federation: FederationServer, host: FileHost, path: str
) -> None:
    host.asked.clear()
    assert await status(federation, path, "index.ipynb") == 204
    assert host.asked == []


async def test_a_branch_that_a_launch_resolved_is_shown(
    federation: FederationServer, repository: Repository
) -> None:
    spec = LaunchSpec("gh", f"owner/{repository.name}", "HEAD")
    await resolve(federation, spec, Resolved(SHA))
    await resolve(federation, spec.at("main"), Missing("ref", "There is none."))
    for ref in ("HEAD", "main"):
        path = repository.path.replace(SHA, ref)
        assert await status(federation, path, "index.ipynb") == 200, ref


async def test_a_malformed_link_is_refused(federation: FederationServer) -> None:
    assert await status(federation, "/preview/gh/owner", "index.ipynb") == 400
    assert await status(federation, "/preview/nobody/x", "index.ipynb") == 400


@pytest.mark.parametrize(
    "content", [b"no json", b"[" * 100_000, b"x" * (3 << 20)], ids=["text", "deep", "large"]
)
async def test_a_file_that_is_no_notebook_has_no_preview(
    federation: FederationServer, host: FileHost, repository: Repository, content: bytes
) -> None:
    host.files[repository.file("bad.ipynb")] = content
    assert await status(federation, repository.path, "bad.ipynb") == 204
    assert await status(federation, repository.path, "index.ipynb") == 200


@pytest.mark.parametrize("code", [403, 429, 500])
async def test_a_host_that_refuses_has_no_preview(
    federation: FederationServer, host: FileHost, repository: Repository, code: int
) -> None:
    host.status = code
    assert await status(federation, repository.path, "index.ipynb") == 204
    assert await status(federation, repository.path, "index.ipynb") == 204
    assert host.asked == [repository.file()], "a host in trouble is left alone for a while"


async def test_redirects_stay_at_the_host(
    federation: FederationServer, host: FileHost, repository: Repository
) -> None:
    host.redirects = {
        repository.file("moved.ipynb"): f"/{repository.file()}",
        repository.file("away.ipynb"): "http://127.0.0.1:9/index.ipynb",
        repository.file("loop.ipynb"): f"/{repository.file('loop.ipynb')}",
    }
    assert await status(federation, repository.path, "moved.ipynb") == 200
    assert await status(federation, repository.path, "away.ipynb") == 204
    assert await status(federation, repository.path, "loop.ipynb") == 204


async def test_a_host_that_does_not_answer_is_given_up(host: FileHost) -> None:
    host.answers.clear()
    try:
        async with httpx.AsyncClient() as client:
            files = Files(client=client, deadline_seconds=0.05)
            with pytest.raises(FetchingFailed):
                await files.fetch(FileAddress(f"{host.url}/x"))
    finally:
        host.answers.set()


async def test_a_banned_repository_is_not_shown() -> None:
    policy = {"banned_specs": [{"pattern": "gh/evil/.*"}]}
    async with running_federation([], policy=policy) as federation:
        assert await status(federation, f"/preview/gh/evil/x/{SHA}", "index.ipynb") == 403


async def test_previews_can_be_switched_off() -> None:
    async with running_federation([], pages={"previews": False}) as federation:
        assert await status(federation, f"/preview/gh/o/r/{SHA}", "index.ipynb") == 404
        page = await federation.client.get(f"/v2/gh/o/r/{SHA}?labpath=index.ipynb")
    assert 'id="preview"' not in page.text


async def test_the_loading_page_knows_the_file(federation: FederationServer) -> None:
    page = await federation.client.get(f"/v2/gh/o/r/{SHA}?urlpath=lab/tree/a%2520b.ipynb")
    assert '"previewFile": "a b.ipynb"' in page.text
    assert f'"previewPath": "/preview/gh/o/r/{SHA}"' in page.text
