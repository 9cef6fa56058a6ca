"""Notebooks become HTML that can do nothing, whatever they hold."""

import json
from html.parser import HTMLParser

import pytest

from binder_federation.federation.previews.notebook_html import (
    MOST_CELLS,
    MOST_TEXT,
    CannotRender,
    render,
)
from binder_federation.federation.previews.sanitizing import ATTRIBUTES, TAGS, make_harmless
from tests.support.attacks import MARKDOWN, MARKUP, OUTPUTS, hostile_notebook
from tests.support.notebook_files import cell, displayed, notebook

# nbformat says that it gave ids to the cells of an old notebook.
pytestmark = pytest.mark.filterwarnings("ignore::nbformat.warnings.MissingIDFieldWarning")


class Danger(HTMLParser):
    """Collects what is more than text, its looks, links and pictures of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if name in ("rel", "target") and tag == "a":
                continue
            if name not in ATTRIBUTES.get(tag, set()):
                self.found.append(f"<{tag} {name}>")
            if name == "src" and not (value or "").startswith("data:image/"):
                self.found.append(f"src {value}")
            if name == "src" and "svg" in (value or ""):
                self.found.append(f"src {value}")
            if name == "href" and not (value or "").startswith(("http://", "https://", "mailto:")):
                self.found.append(f"href {value}")


def dangers(html: str) -> list[str]:
    parser = Danger()
    parser.feed(html)
    parser.close()
    return parser.found


def test_the_attacks_would_be_found() -> None:
    assert len(dangers("".join(MARKUP))) > len(MARKUP)


@pytest.mark.parametrize("markup", MARKUP)
def test_markup_is_made_harmless(markup: str) -> None:
    assert dangers(make_harmless(f"<p>before</p>{markup}")) == []
    assert dangers(render("a.ipynb", notebook(cell("markdown", markup)))) == []


@pytest.mark.parametrize("markdown", MARKDOWN)
def test_markdown_is_made_harmless(markdown: str) -> None:
    assert dangers(render("a.md", markdown.encode())) == []


@pytest.mark.parametrize("data", OUTPUTS, ids=lambda data: str(data)[:40])
def test_outputs_are_made_harmless(data: dict[str, object]) -> None:
    html = render("a.ipynb", notebook(cell("code", "1", outputs=[displayed(data)])))
    assert dangers(html) == []


def test_a_notebook_that_tries_everything_is_shown_harmless() -> None:
    assert dangers(render("a.ipynb", hostile_notebook())) == []


def test_code_text_and_tables_are_shown() -> None:
    table = {"text/html": ["<table><tr><th>a</th></tr>", "<tr><td>1</td></tr></table>"]}
    stream = {"output_type": "stream", "name": "stdout", "text": ["one\n", "\x1b[31mtwo\x1b[0m"]}
    html = render(
        "a.ipynb",
        notebook(
            cell("markdown", "# Title\n\n*soft*"),
            cell("code", "import os", outputs=[displayed(table), stream]),
            cell("raw", "<b>raw</b>"),
            language_info={"name": "python"},
        ),
    )
    for part in (
        "<h1>Title</h1>",
        '<span class="kn">import</span>',
        "<td>1</td>",
        '<span class="ansi-red-fg">two</span>',
        "&lt;b&gt;raw&lt;/b&gt;",
    ):
        assert part in html


def test_pictures_of_the_notebook_stay_and_links_open_elsewhere() -> None:
    picture = displayed({"image/png": "iVBORw0KGgo=\n", "text/plain": "<Figure>"})
    html = render(
        "a.ipynb",
        notebook(
            cell("code", "plot()", outputs=[picture]),
            cell(
                "markdown",
                "[out](https://a.test/) ![b](attachment:b.png)",
                attachments={"b.png": {"image/png": "iVBORw0KGgo="}},
            ),
        ),
    )
    assert html.count('src="data:image/png;base64,iVBORw0KGgo="') == 2
    link = '<a href="https://a.test/" target="_blank" rel="noopener noreferrer">'
    assert link in html


def test_a_notebook_of_version_3_is_read() -> None:
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": "old"},
        "worksheets": [
            {
                "metadata": {},
                "cells": [
                    {"cell_type": "heading", "level": 2, "metadata": {}, "source": "Old"},
                    {
                        "cell_type": "code",
                        "collapsed": False,
                        "language": "python",
                        "metadata": {},
                        "input": "1 + 1",
                        "prompt_number": 1,
                        "outputs": [{"output_type": "pyout", "prompt_number": 1, "text": "2"}],
                    },
                ],
            }
        ],
    }
    html = render("old.ipynb", json.dumps(old).encode())
    assert "<h2>Old</h2>" in html
    assert "2" in html


def test_front_matter_of_markdown_is_left_out() -> None:
    html = render("a.Rmd", b"---\ntitle: secret\njupytext: {}\n---\n# Shown\n")
    assert "secret" not in html
    assert "<h1>Shown</h1>" in html


def test_what_is_too_long_is_cut_and_says_so() -> None:
    stream = {"output_type": "stream", "name": "stdout", "text": "x" * (MOST_TEXT + 1)}
    cells = [cell("code", "1", outputs=[stream])] * (MOST_CELLS + 1)
    html = render("a.ipynb", notebook(*cells[:2]))
    assert html.count("left out of this preview") == 2
    assert "left out of this preview" in render("a.ipynb", notebook(*[cell("raw", "x")] * 500))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"not json",
        b"[]",
        b"{}",
        b"null",
        b'{"nbformat": 4}',
        b'{"nbformat": 99, "cells": []}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [1, "a", null]}',
        b'{"nbformat": 4, "nbformat_minor": 5, "metadata": 3, "cells": []}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
        notebook(),
    ],
    ids=range(13),
)
def test_what_is_no_notebook_is_refused_with_one_error(content: bytes) -> None:
    with pytest.raises(CannotRender):
        render("a.ipynb", content)
