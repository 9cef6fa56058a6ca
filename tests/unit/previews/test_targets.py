"""Which file a link opens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.federation.previews.targets import clean_path, preview_target


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"labpath": "index.ipynb"}, "index.ipynb"),
        ({"filepath": "a/b c.ipynb"}, "a/b c.ipynb"),
        ({"urlpath": "lab/tree/a/b.ipynb"}, "a/b.ipynb"),
        ({"urlpath": "/lab/tree/a%20b.ipynb?token=x#here"}, "a b.ipynb"),
        ({"urlpath": "lab/workspaces/auto-x/tree/a.ipynb"}, "a.ipynb"),
        ({"urlpath": "tree/a.ipynb"}, "a.ipynb"),
        ({"urlpath": "notebooks/a.ipynb"}, "a.ipynb"),
        ({"urlpath": "nbclassic/notebooks/a.ipynb"}, "a.ipynb"),
        ({"urlpath": "doc/tree/guide.md"}, "guide.md"),
        ({"urlpath": "voila/render/app.ipynb"}, "app.ipynb"),
        ({"labpath": "./notes/../a.ipynb"}, "a.ipynb"),
        ({"labpath": "A.IPYNB"}, "A.IPYNB"),
        ({"labpath": "paper.Rmd"}, "paper.Rmd"),
        ({}, ""),
        ({"urlpath": "rstudio"}, ""),
        ({"urlpath": "lab/tree/data.csv"}, ""),
        ({"urlpath": "http://other.test/lab/tree/a.ipynb"}, ""),
        ({"urlpath": "lab/tree/%FF.ipynb"}, ""),
        ({"labpath": "../a.ipynb"}, ""),
        ({"labpath": "a/../../b.ipynb"}, ""),
        ({"labpath": "..\\a.ipynb"}, ""),
        ({"labpath": "a\n.ipynb"}, ""),
        ({"labpath": "x" * 600 + ".ipynb"}, ""),
    ],
)
def test_the_opened_file_is_found(query: dict[str, str], path: str) -> None:
    assert preview_target("gh/o/r/HEAD", query) == path


@pytest.mark.parametrize(
    "raw_path", ["git/https%3A%2F%2Fh%2Fr/HEAD", "zenodo/10.5281/x", "", "gl/x"]
)
def test_other_providers_have_no_previews(raw_path: str) -> None:
    assert preview_target(raw_path, {"labpath": "a.ipynb"}) == ""


@given(st.text(max_size=80).map(lambda text: f"{text}.ipynb"), st.text(max_size=80))
def test_no_path_leads_out_of_the_repository(path: str, urlpath: str) -> None:
    cleaned = clean_path(path)
    assert ".." not in cleaned.split("/")
    assert not cleaned.startswith("/")
    assert clean_path(cleaned) == cleaned
    preview_target("gh/o/r/HEAD", {"urlpath": urlpath})
