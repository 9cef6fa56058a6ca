"""Archives of strangers: what is in them, within bounds, and nothing outside of its folder."""

import gzip
import io
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from binder_federation.binder.errors import BuildFailed
from binder_federation.cluster_agent.stacks.sources.archives import Stopped, is_archive, unpack

Make = Callable[[Path, Mapping[str, str | bytes]], Path]


def make_zip(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    path = folder / "content.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_tar(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    path = folder / "content.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            add_file(archive, name, content)
    return path


def add_file(archive: tarfile.TarFile, name: str, content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def add_special(archive: tarfile.TarFile, name: str, kind: bytes, target: str = "") -> None:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = target
    archive.addfile(member)


def unpacked(archive: Path, *, most_bytes: int = 1_000_000) -> dict[str, str]:
    """What comes out, by its path."""
    target = archive.parent / "out" / "content"
    unpack(archive, target, most_bytes=most_bytes, is_stopped=lambda: False)
    return {
        str(path.relative_to(target)): path.read_text()
        for path in sorted(target.rglob("*"))
        if path.is_file()
    }


def escaped(folder: Path) -> list[str]:
    """Files of the test's folder that nobody put there."""
    known = {"content.zip", "content.tar.gz", "out"}
    return [str(path) for path in folder.iterdir() if path.name not in known]


both = pytest.mark.parametrize("make", [make_zip, make_tar], ids=["zip", "tar.gz"])


@both
def test_what_is_in_it(tmp_path: Path, make: Make) -> None:
    files = {"environment.yml": "a", "./b/c d.txt": "b", "b/ü.txt": "c"}
    made = unpacked(make(tmp_path, files))
    assert made == {"environment.yml": "a", "b/c d.txt": "b", "b/ü.txt": "c"}


@both
def test_a_single_folder_at_the_top_is_left_away(tmp_path: Path, make: Make) -> None:
    """Including one with the name of what is in it."""
    files = {"repo-v1/repo-v1/a": "1", "repo-v1/b": "2"}
    assert unpacked(make(tmp_path, files)) == {"repo-v1/a": "1", "b": "2"}


@both
def test_a_single_file_stays(tmp_path: Path, make: Make) -> None:
    assert unpacked(make(tmp_path, {"a": "1"})) == {"a": "1"}


@both
@pytest.mark.parametrize(
    "name", ["../outside", "a/../../outside", "/outside", "a//b", "a/./b", "x" * 300]
)
def test_names_that_lead_out(tmp_path: Path, make: Make, name: str) -> None:
    with pytest.raises(BuildFailed, match=r"is named|broken"):
        unpacked(make(tmp_path, {"good": "1", name: "2"}))
    assert escaped(tmp_path) == []


@both
def test_one_file_in_two_ways(tmp_path: Path, make: Make) -> None:
    with pytest.raises(BuildFailed, match="broken"):
        unpacked(make(tmp_path, {"a": "1", "a/b": "2"}))


@both
def test_a_bomb(tmp_path: Path, make: Make) -> None:
    archive = make(tmp_path, {"zeros": b"\0" * 30_000_000})
    assert archive.stat().st_size < 100_000, "it is small, and much comes out of it"
    with pytest.raises(BuildFailed, match="come to more than"):
        unpacked(archive, most_bytes=5_000_000)
    written = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert written <= 5_000_000


@both
def test_too_many_files(tmp_path: Path, make: Make) -> None:
    archive = make(tmp_path, {str(number): "" for number in range(4)})
    with pytest.raises(BuildFailed, match="more than 3 files"):
        unpack(
            archive,
            tmp_path / "out",
            most_bytes=1_000_000,
            most_members=3,
            is_stopped=lambda: False,
        )


@both
def test_a_broken_one(tmp_path: Path, make: Make) -> None:
    archive = make(tmp_path, {"a": os.urandom(100_000)})
    data = archive.read_bytes()
    for broken in (b"", b"no archive", data[: len(data) // 2], data[:50] + b"XX" + data[52:]):
        archive.write_bytes(broken)
        with pytest.raises(BuildFailed, match="broken"):
            unpacked(archive)
        shutil.rmtree(tmp_path / "out")


@both
def test_nobody_wants_it_any_more(tmp_path: Path, make: Make) -> None:
    with pytest.raises(Stopped):
        unpack(
            make(tmp_path, {"a": "1"}),
            tmp_path / "out",
            most_bytes=1_000_000,
            is_stopped=lambda: True,
        )


def test_a_zip_with_a_password(tmp_path: Path) -> None:
    archive = make_zip(tmp_path, {"a": "1"})
    data = bytearray(archive.read_bytes())
    data[6] |= 1  # the local header's flags
    data[data.index(b"PK\x01\x02") + 8] |= 1  # the directory's
    archive.write_bytes(bytes(data))
    with pytest.raises(BuildFailed, match="has a password"):
        unpacked(archive)


def test_a_link_in_a_zip_is_a_file(tmp_path: Path) -> None:
    archive = tmp_path / "content.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        opened.writestr(link, "/etc/passwd")
    assert unpacked(archive) == {"link": "/etc/passwd"}
    assert not (tmp_path / "out/content/link").is_symlink()


def test_a_program_in_a_zip_can_be_run(tmp_path: Path) -> None:
    archive = tmp_path / "content.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        program = zipfile.ZipInfo("postBuild")
        program.external_attr = (stat.S_IFREG | 0o755) << 16
        opened.writestr(program, "#!/bin/sh\n")
    unpacked(archive)
    assert (tmp_path / "out/content/postBuild").stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.SYMTYPE, "good"),
        (tarfile.LNKTYPE, "good"),
        (tarfile.LNKTYPE, "../outside"),
        (tarfile.LNKTYPE, "nothing"),
        (tarfile.CHRTYPE, ""),
        (tarfile.FIFOTYPE, ""),
    ],
)
def test_links_and_devices_in_a_tar(tmp_path: Path, kind: bytes, target: str) -> None:
    archive = tmp_path / "content.tar.gz"
    with tarfile.open(archive, "w:gz") as opened:
        add_file(opened, "good", "1")
        add_special(opened, "bad", kind, target)
    with pytest.raises(BuildFailed, match=r"“bad” in content\.tar\.gz is no plain file"):
        unpacked(archive)
    assert [path.name for path in (tmp_path / "out/content").iterdir()] == ["good"]


def test_a_tar_header_that_would_fill_the_memory(tmp_path: Path) -> None:
    """tarfile reads an extended header at once, whatever its size."""
    archive = tmp_path / "content.tar.gz"
    header = tarfile.TarInfo("x")
    header.type = tarfile.XHDTYPE
    header.size = 4_000_000_000
    archive.write_bytes(gzip.compress(header.tobuf() + b"\0" * 20_000_000))
    with pytest.raises(BuildFailed, match="broken"):
        unpacked(archive, most_bytes=10_000_000_000)


def test_a_tar_file_with_holes(tmp_path: Path) -> None:
    archive = tmp_path / "content.tar.gz"
    member = tarfile.TarInfo("holes")
    pax = {
        "GNU.sparse.major": "1",
        "GNU.sparse.minor": "0",
        "GNU.sparse.name": "holes",
        "GNU.sparse.realsize": str(1 << 50),
    }
    data = b"1\n0\n1\n".ljust(512, b"\0") + b"x" * 512
    with tarfile.open(archive, "w:gz", format=tarfile.PAX_FORMAT) as opened:
        member.pax_headers = pax
        member.size = len(data)
        opened.addfile(member, io.BytesIO(data))
    with pytest.raises(BuildFailed, match="is no plain file"):
        unpacked(archive)


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("a/repo-v1.0.zip", True),
        ("x.ZIP", True),
        ("x.tar.gz", True),
        ("x.tgz", True),
        ("table.xlsx", False),
        ("x.gz", False),
        ("zip", False),
    ],
)
def test_what_is_an_archive(name: str, is_one: bool) -> None:
    assert is_archive(name) is is_one
