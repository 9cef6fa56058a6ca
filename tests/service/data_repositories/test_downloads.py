"""Downloads from a real server: what comes, within bounds, and whose failure it is when not."""

import asyncio
import errno
import io
import os
import zipfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from binder_federation.binder.errors import (
    BuildFailed,
    MemberBuildFailed,
    RepositoryNotFound,
    SpecBanned,
)
from binder_federation.binder.providers.base import FileSource, RemoteFile
from binder_federation.cluster_agent.stacks.sources.content import ContentFetcher
from binder_federation.config.providers import ProviderSettings
from binder_federation.runtime.tasks import BackgroundTasks
from tests.service.data_repositories.sites import plain_client
from tests.support.fake_data_site import FakeDataSite, StoredFile


@dataclass
class Fetching:
    """A site, and a folder that content is fetched into."""

    site: FakeDataSite
    target: Path
    lines: list[str] = field(default_factory=list)
    on_line: Callable[[str], None] | None = None

    def remote(self, file: StoredFile, **changes: Any) -> RemoteFile:
        listed = RemoteFile(
            file.name, self.site.file_url(file), len(file.content), f"md5:{file.md5}"
        )
        return replace(listed, **changes)

    def source(self, *files: RemoteFile, **changes: Any) -> FileSource:
        given: dict[str, Any] = {"origins": (self.site.url,), **changes}
        return FileSource(url="https://doi.org/10.1234/x", files=files, **given)

    async def fetch(self, source: FileSource, **limits: Any) -> dict[str, bytes]:
        settings = ProviderSettings.model_validate({"timeout_seconds": 5, "downloads": limits})
        async with plain_client() as client:
            fetcher = ContentFetcher(settings=settings, client=client)
            on_line = self.on_line or self.lines.append
            await fetcher.fetch(source, "1", self.target, on_line=on_line, marks={})
        return {
            str(path.relative_to(self.target)): path.read_bytes()
            for path in self.target.rglob("*")
            if path.is_file()
        }


@pytest.fixture
async def fetching(tmp_path: Path) -> AsyncIterator[Fetching]:
    async with FakeDataSite() as site:
        yield Fetching(site, tmp_path / "content")


def zipped(**files: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return data.getvalue()


async def test_files_and_folders(fetching: Fetching) -> None:
    one = fetching.site.store("a.csv", "1")
    two = fetching.site.store("code/ü/run.py", os.urandom(3_000_000))
    source = fetching.source(
        fetching.remote(one, checksum="", size_bytes=None),
        fetching.remote(two),
        notes=("Leaving out x.",),
    )
    assert await fetching.fetch(source) == {"a.csv": b"1", "code/ü/run.py": two.content}
    assert fetching.lines == [
        "Leaving out x.",
        "Downloading a.csv",
        "Downloading code/ü/run.py (3.0 MB)",
    ]
    sent = fetching.site.requests[0].headers
    assert sent["Accept-Encoding"] == "identity"
    assert not {"Authorization", "Cookie"} & sent.keys()


async def test_a_single_archive_stands_for_what_is_in_it(fetching: Fetching) -> None:
    content = zipped(**{"repo-v1__environment.yml": "a", "repo-v1__sub__b": "b"})
    file = fetching.remote(fetching.site.store("owner/repo-v1.zip", content))
    source = fetching.source(file, unpack=True)
    assert await fetching.fetch(source) == {"environment.yml": b"a", "sub/b": b"b"}
    assert "Unpacking repo-v1.zip" in fetching.lines
    assert [path.name for path in fetching.target.parent.iterdir()] == ["content"]


async def test_an_archive_beside_others_stays_as_it_is(fetching: Fetching) -> None:
    archive = fetching.remote(fetching.site.store("x.zip", zipped(a="1")))
    other = fetching.remote(fetching.site.store("b", "2"))
    assert set(await fetching.fetch(fetching.source(archive, other, unpack=True))) == {"x.zip", "b"}


async def test_a_spreadsheet_is_no_archive(fetching: Fetching) -> None:
    file = fetching.remote(fetching.site.store("table.xlsx", zipped(a="1")))
    assert set(await fetching.fetch(fetching.source(file, unpack=True))) == {"table.xlsx"}


async def test_what_fails_in_passing_is_tried_again(fetching: Fetching) -> None:
    file = fetching.remote(fetching.site.store("a", "1"))
    fetching.site.fail_next(status=503)
    fetching.site.answer_next("damaged")
    assert await fetching.fetch(fetching.source(file)) == {"a": b"1"}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, RepositoryNotFound),
        (410, RepositoryNotFound),
        (403, RepositoryNotFound),
        (503, MemberBuildFailed),
        (429, MemberBuildFailed),
    ],
)
async def test_whose_failure_it_is(fetching: Fetching, status: int, error: type[Exception]) -> None:
    file = fetching.remote(fetching.site.store("a", "1"))
    fetching.site.fail_next(3, status=status)
    with pytest.raises(error, match=r"\ba\b"):
        await fetching.fetch(fetching.source(file))


async def test_a_file_that_always_arrives_damaged(fetching: Fetching) -> None:
    file = fetching.remote(fetching.site.store("a", "1"), checksum=f"sha256:{'0' * 64}")
    with pytest.raises(MemberBuildFailed, match="could not download a"):
        await fetching.fetch(fetching.source(file))
    assert len(fetching.site.requests) == 3


async def test_a_kind_of_checksum_that_nobody_knows(fetching: Fetching) -> None:
    file = fetching.remote(fetching.site.store("a", "1"), checksum="crc7:12")
    assert await fetching.fetch(fetching.source(file)) == {"a": b"1"}


async def test_a_site_that_is_gone(fetching: Fetching) -> None:
    async with FakeDataSite() as gone:
        url = f"{gone.url}/stored/0"
    source = fetching.source(RemoteFile("a", url), origins=(url,))
    with pytest.raises(MemberBuildFailed, match="could not download a"):
        await fetching.fetch(source)


async def test_a_site_that_hangs(fetching: Fetching) -> None:
    file = fetching.remote(fetching.site.store("a", "1"))
    fetching.site.hang()
    with pytest.raises(MemberBuildFailed, match="took too long"):
        await fetching.fetch(fetching.source(file), file_timeout_seconds=0.2)


async def test_too_large_as_it_is_listed_or_as_it_comes(fetching: Fetching) -> None:
    file = fetching.remote(fetching.site.store("a", b"1" * 2000))
    with pytest.raises(BuildFailed, match="come to more than"):
        await fetching.fetch(fetching.source(file), most_bytes=1999)
    assert fetching.site.requests == [], "that was known before"
    untold = fetching.remote(fetching.site.stored[0], size_bytes=None)
    other = fetching.remote(fetching.site.store("b", b"1" * 2000), size_bytes=1)
    with pytest.raises(BuildFailed, match="come to more than"):
        await fetching.fetch(fetching.source(untold, other), most_bytes=3999)


async def test_too_many(fetching: Fetching) -> None:
    files = [RemoteFile(str(number), fetching.site.url) for number in range(4)]
    with pytest.raises(BuildFailed, match="4 files; 3 are the most"):
        await fetching.fetch(fetching.source(*files), most_files=3)


async def test_nothing_at_all(fetching: Fetching) -> None:
    with pytest.raises(RepositoryNotFound, match="no public files"):
        await fetching.fetch(fetching.source())


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "a/../../x", "", ".", "a//b", "a\0b", "x" * 256, "a/" * 1200 + "a"]
)
@pytest.mark.parametrize("unpack", [False, True])
async def test_names_that_lead_out(fetching: Fetching, name: str, unpack: bool) -> None:
    suffix = ".zip" if unpack else ""
    stored = fetching.site.store("x", zipped(a="1"))
    path = f"{name}{suffix}" if name not in ("", ".") else name
    file = fetching.remote(stored, path=path)
    with pytest.raises(BuildFailed, match="is named"):
        await fetching.fetch(fetching.source(file, unpack=unpack))
    assert fetching.site.requests == []


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b/c", "a")])
async def test_two_in_one_place(fetching: Fetching, names: tuple[str, str]) -> None:
    files = [RemoteFile(name, fetching.site.url) for name in names]
    with pytest.raises(BuildFailed, match=r"Two files are named|lies in what is a file"):
        await fetching.fetch(fetching.source(*files))


async def test_an_address_in_our_network(fetching: Fetching) -> None:
    file = fetching.remote(fetching.site.store("a", "1"))
    with pytest.raises(SpecBanned, match="not on the public internet"):
        await fetching.fetch(fetching.source(file, origins=()))
    assert fetching.site.requests == []


async def test_an_address_that_is_none_of_the_web(fetching: Fetching) -> None:
    with pytest.raises(SpecBanned, match="http"):
        await fetching.fetch(fetching.source(RemoteFile("a", "file:///etc/passwd")))


async def test_a_redirect_into_our_network(fetching: Fetching) -> None:
    file = fetching.remote(fetching.site.store("a", "1"))
    async with FakeDataSite() as ours:
        ours.store("a", "1")
        fetching.site.redirect_next(f"{ours.url}/stored/0")
        with pytest.raises(SpecBanned, match="not on the public internet"):
            await fetching.fetch(fetching.source(file))
        assert ours.requests == []


async def test_a_redirect_that_is_fine(fetching: Fetching) -> None:
    fetching.site.store("a", "1")
    file = fetching.remote(fetching.site.stored[0])
    fetching.site.redirect_next(f"{fetching.site.url}/stored/0")
    assert await fetching.fetch(fetching.source(file)) == {"a": b"1"}


async def test_nobody_wants_it_any_more(fetching: Fetching) -> None:
    """The archive is being unpacked in a thread, which must have ended when this is over."""
    content = zipped(**{f"f{number}": "x" * 50_000 for number in range(2000)})
    file = fetching.remote(fetching.site.store("x.zip", content))

    def cancel_when_unpacking(line: str) -> None:
        if line.startswith("Unpacking"):
            fetch.cancel()

    fetching.on_line = cancel_when_unpacking
    fetch = BackgroundTasks().start(
        fetching.fetch(fetching.source(file, unpack=True)), name="fetch"
    )
    with pytest.raises(asyncio.CancelledError):
        await fetch
    before = count_files(fetching.target)
    assert before < 2000, "it went on to its end"
    await asyncio.to_thread(lambda: None)
    assert count_files(fetching.target) == before, "the thread still writes"


def count_files(folder: Path) -> int:
    return sum(1 for _ in folder.iterdir()) if folder.exists() else 0


async def test_a_full_disk_is_not_the_repositorys_fault(fetching: Fetching) -> None:
    """It stays an `OSError`, which the builders turn into the member's failure."""

    def fill_the_disk(line: str) -> None:
        assert line.startswith("Downloading a")
        (fetching.target / "a").symlink_to("/dev/full")

    fetching.on_line = fill_the_disk
    file = fetching.remote(fetching.site.store("a", b"1" * 2_000_000))
    with pytest.raises(OSError) as caught:  # noqa: PT011 - its number tells
        await fetching.fetch(fetching.source(file))
    assert caught.value.errno == errno.ENOSPC
