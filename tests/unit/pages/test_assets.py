"""Static files are named by their content."""

import re
from pathlib import Path

import pytest

from binder_federation.federation.pages.assets import STATIC_FOLDER, load_assets

MODULES = sorted(STATIC_FOLDER.glob("*.js"))


def test_a_changed_file_changes_the_address_of_all(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("export const a = 1;")
    (tmp_path / "b.css").write_text("p { margin: 0; }")
    (tmp_path / "notes.txt").write_text("not served")
    before = load_assets(tmp_path)
    assert sorted(before.files) == ["a.js", "b.css"]
    assert load_assets(tmp_path).digest == before.digest
    (tmp_path / "a.js").write_text("export const a = 2;")
    assert load_assets(tmp_path).path("b.css") != before.path("b.css")


def test_a_link_to_a_file_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError, match=r"missing\.js"):
        load_assets().path("missing.js")


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_modules_import_only_each_other(module: Path) -> None:
    imported = re.findall(r'from "([^"]+)"', module.read_text())
    missing = [name for name in imported if not (STATIC_FOLDER / name).is_file()]
    assert all(name.startswith("./") for name in imported)
    assert not missing


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_modules_never_make_markup_from_text(module: Path) -> None:
    found = re.findall(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", module.read_text()
    )
    assert not found, "text of a build or a link would become part of the page"
