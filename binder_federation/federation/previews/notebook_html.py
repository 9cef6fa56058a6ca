"""A notebook or a Markdown file as HTML. It runs in a process of its own (`worker.py`).

nbformat reads any version, nbconvert's filters make HTML of Markdown and of terminal
colours, Pygments colours code. Of an output's forms the first that can be shown as it
stands is taken: pictures, tables, text; scripts, widgets and SVG are left out. What is too
long is cut, and says so.
"""

import re
from html import escape
from typing import Any

import nbformat
from nbconvert.filters.ansi import ansi2html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
from pygments.util import ClassNotFound  # type: ignore[import-untyped]

from binder_federation.federation.previews.sanitizing import make_harmless

MOST_CELLS = 400
MOST_SOURCE = 40_000
MOST_TEXT = 20_000
MOST_HTML = 200_000
MOST_RESULT = 6_000_000
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_FRONT_MATTER = re.compile(r"\A---\s*\n.*?\n(?:---|\.\.\.)\s*\n", re.DOTALL)
_CUT = '<p class="cut">The rest is left out of this preview.</p>'


class CannotRender(Exception):
    """The file is no notebook, or more than can be shown."""


def render(path: str, content: bytes) -> str:
    """The HTML of the file `path`, made harmless. Raises `CannotRender`."""
    try:
        text = content.decode("utf-8")
        is_notebook = path.lower().endswith(".ipynb")
        html = _notebook(text) if is_notebook else _markdown(_FRONT_MATTER.sub("", text), {})
        clean = make_harmless(html)
    except CannotRender:
        raise
    except Exception as error:  # of strangers' files anything may be wrong
        raise CannotRender(f"{type(error).__name__}: {error}"[:200]) from error
    if len(clean) > MOST_RESULT:
        raise CannotRender("it is too long")
    return clean


def _notebook(text: str) -> str:
    notebook: Any = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    metadata = notebook.get("metadata", {})
    info = metadata.get("language_info") or metadata.get("kernelspec") or {}
    language = str(info.get("pygments_lexer") or info.get("language") or info.get("name") or "")
    cells = [_cell(cell, language) for cell in notebook.cells[:MOST_CELLS]]
    if not cells:
        raise CannotRender("it has no cells")
    rest = _CUT if len(notebook.cells) > MOST_CELLS else ""
    return "".join(cells) + rest


def _cell(cell: Any, language: str) -> str:
    source = _joined(cell.get("source", ""))
    match cell.get("cell_type"):
        case "markdown":
            body = _markdown(source, cell.get("attachments") or {})
            return f'<section class="cell markdown">{body}</section>'
        case "code":
            outputs = "".join(_output(output) for output in cell.get("outputs", []))
            code = _code(source, language) if source.strip() else ""
            return f'<section class="cell code">{code}{outputs}</section>'
        case _:
            return f'<section class="cell raw"><pre>{escape(source[:MOST_TEXT])}</pre></section>'


def _code(source: str, language: str) -> str:
    try:
        lexer = get_lexer_by_name("python" if language.startswith("ipython") else language)
    except ClassNotFound:
        return f'<div class="highlight"><pre>{escape(source[:MOST_SOURCE])}</pre></div>'
    return str(highlight(source[:MOST_SOURCE], lexer, HtmlFormatter()))


def _markdown(source: str, attachments: Any) -> str:
    renderer = IPythonRenderer(escape=False, attachments=attachments, exclude_anchor_links=True)
    return str(MarkdownWithMath(renderer=renderer).render(source[:MOST_HTML]))


def _output(output: Any) -> str:
    match output.get("output_type"):
        case "stream":
            return _text(_joined(output.get("text", "")))
        case "error":
            return _text("\n".join(str(line) for line in output.get("traceback", [])), "error")
        case "display_data" | "execute_result":
            return _data(output.get("data") or {})
        case _:
            return ""


def _data(data: Any) -> str:
    """The best form that can be shown; scripts and widgets have a text besides, or nothing."""
    for kind in PICTURES:
        if kind in data:
            encoded = "".join(_joined(data[kind]).split())
            return (
                f'<div class="output"><img src="data:{kind};base64,{encoded}" alt="Output"></div>'
            )
    for kind, make in (
        ("text/html", lambda text: text),
        ("text/markdown", lambda text: _markdown(text, {})),
    ):
        text = _joined(data.get(kind, ""))
        if text and len(text) <= MOST_HTML:
            return f'<div class="output html">{make_harmless(make(text))}</div>'
    return _text(_joined(data.get("text/plain", data.get("text/latex", ""))))


def _text(text: str, kind: str = "text") -> str:
    if not text:
        return ""
    cut = _CUT if len(text) > MOST_TEXT else ""
    colored = ansi2html(text[:MOST_TEXT])  # type: ignore[no-untyped-call]
    return f'<div class="output {kind}"><pre>{colored}</pre>{cut}</div>'


def _joined(value: Any) -> str:
    return "".join(str(part) for part in value) if isinstance(value, list) else str(value)
