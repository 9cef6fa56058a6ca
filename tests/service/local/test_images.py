"""The images on disk: what is found, what is used, what goes."""

import os
from pathlib import Path

import pytest

from binder_federation.binder.spec import ImageKey
from binder_federation.cluster_agent.stacks.host.files import remove_tree
from binder_federation.cluster_agent.stacks.local.folders import (
    ImageFolder,
    StackFolders,
)
from binder_federation.cluster_agent.stacks.local.image_record import (
    ImageRecordFile,
    read_record,
    write_record,
)
from binder_federation.cluster_agent.stacks.local.images import LocalImages


@pytest.fixture
def folders(tmp_path: Path) -> StackFolders:
    return StackFolders(tmp_path)


def add_image(folders: StackFolders, letter: str, *, size: int = 100, used_at: int = 0) -> ImageKey:
    key = letter * 32
    folder = folders.image(key)
    folder.content.mkdir(parents=True)
    (folder.content / "a.txt").write_text("a")
    packages = "env/lib/python3.11/site-packages"
    write_record(folder, ImageRecordFile(key, f"git/{letter}", "c" * 40, size, packages))
    os.utime(folder.record, (used_at, used_at))
    return ImageKey(key)


async def test_only_whole_images_are_found(folders: StackFolders) -> None:
    images = LocalImages(folders=folders, bytes_limit=1000)
    assert await images.list_images() == []
    key = add_image(folders, "a")
    folders.image("b" * 32).content.mkdir(parents=True)
    folders.image("c" * 32).content.mkdir(parents=True)
    folders.image("c" * 32).record.write_text('{"key": 1')
    found = await images.find(key)
    assert found is not None
    assert (found.reference, found.repository, found.size_bytes) == (key, "git/a", 100)
    assert await images.find(ImageKey("b" * 32)) is None
    assert await images.find(ImageKey("c" * 32)) is None
    assert [record.key for record in await images.list_images()] == [key]


async def test_the_least_recently_used_go_first(folders: StackFolders) -> None:
    images = LocalImages(folders=folders, bytes_limit=250)
    keys = [add_image(folders, letter, used_at=n) for n, letter in enumerate("abcd")]
    await images.note_launch(keys[0])
    removed = await images.ensure_room(in_use=frozenset())
    assert removed == [keys[1], keys[2]]
    left = {record.key for record in await images.list_images()}
    assert left == {keys[0], keys[3]}
    assert not folders.image(keys[1]).path.exists()
    assert list(folders.building.iterdir()) == []


async def test_what_is_in_use_stays(folders: StackFolders) -> None:
    images = LocalImages(folders=folders, bytes_limit=50)
    keys = [add_image(folders, letter, used_at=n) for n, letter in enumerate("abc")]
    assert await images.ensure_room(in_use=frozenset(keys[:2])) == [keys[2]]
    assert await images.ensure_room(in_use=frozenset(keys[:2])) == []


async def test_nothing_goes_while_there_is_room(folders: StackFolders) -> None:
    images = LocalImages(folders=folders, bytes_limit=200)
    for letter in "ab":
        add_image(folders, letter)
    assert await images.ensure_room(in_use=frozenset()) == []


async def test_a_launch_of_an_image_that_went_is_no_error(folders: StackFolders) -> None:
    images = LocalImages(folders=folders, bytes_limit=200)
    await images.note_launch(ImageKey("a" * 32))


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    folder = ImageFolder(tmp_path)
    record = ImageRecordFile("k", "r", "c", 1, "env", "start", "/bin/bash", ("src", "."))
    write_record(folder, record)
    assert read_record(folder) == record
    assert [path.name for path in tmp_path.iterdir()] == ["image.json"]


def test_a_tree_goes_also_when_it_is_read_only(tmp_path: Path) -> None:
    deep = tmp_path / "tree/deep"
    deep.mkdir(parents=True)
    (deep / "a.txt").touch()
    (tmp_path / "tree/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    deep.chmod(0o500)
    remove_tree(tmp_path / "tree")
    remove_tree(tmp_path / "tree")
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]
