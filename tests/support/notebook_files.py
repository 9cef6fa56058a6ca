"""Notebooks as files, put together from cells."""

import json
from typing import Any


def cell(kind: str, source: Any, **more: Any) -> dict[str, Any]:
    """A cell of a version 4 notebook."""
    extra: dict[str, Any] = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {}, "source": source, **extra, **more}


def notebook(*cells: dict[str, Any], **metadata: Any) -> bytes:
    """A version 4 notebook."""
    body = {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 4}
    return json.dumps(body).encode()


def displayed(data: dict[str, Any]) -> dict[str, Any]:
    """An output."""
    return {"output_type": "display_data", "metadata": {}, "data": data}


def demo_notebook() -> bytes:
    """A usual one: text, code, a table, terminal colours, an error."""
    table = (
        "<table><thead><tr><th></th><th>length</th><th>period</th></tr></thead><tbody>"
        "<tr><th>0</th><td>12.5</td><td>2.8</td></tr><tr><th>1</th><td>40.1</td><td>5.1</td></tr>"
        "</tbody></table>"
    )
    printed = {"output_type": "stream", "name": "stdout", "text": "\x1b[32mok\x1b[0m 2 rows\n"}
    error = {
        "output_type": "error",
        "ename": "KeyError",
        "evalue": "'depth'",
        "traceback": ["\x1b[0;31mKeyError\x1b[0m: 'depth'"],
    }
    return notebook(
        cell(
            "markdown", "# Waves\n\nA *short* look at `waves.csv`, from [a buoy](https://a.test/)."
        ),
        cell(
            "code",
            "import pandas as pd\n\nwaves = pd.read_csv('waves.csv')  # two rows\nwaves",
            outputs=[printed, displayed({"text/html": table, "text/plain": "waves"})],
        ),
        cell("markdown", "> Heights are in metres, $h > 0$."),
        cell("code", "def steep(row):\n    return row['depth'] > 3.5", outputs=[error]),
        language_info={"name": "python"},
    )
