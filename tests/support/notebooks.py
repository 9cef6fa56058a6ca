"""A repository with a notebook, and a visitor who opens it in a browser and runs its first cell."""

import json
import sys
from typing import Any

from playwright.async_api import Page
from playwright.async_api import TimeoutError as BrowserTimeout

from tests.support.browser import PageErrors

GREETING = "The answer is 42."


def notebook_files(base_image: str, *, name: str = "test", more: str = "") -> dict[str, str]:
    """A repository that builds quickly on `base_image`, with `index.ipynb` in the home folder.

    `more` are further lines of its Dockerfile.
    """
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "id": "answer",
        "metadata": {},
        "outputs": [],
        "source": [f'print("The answer is", 6 * 7, end=".")  # {name}'],
    }
    notebook = {
        "cells": [cell],
        "metadata": {
            "kernelspec": {
                "display_name": "Python 3 (ipykernel)",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    dockerfile = (
        f"FROM {base_image}\n"
        "COPY --chown=1000:1000 . /home/jovyan/\n"
        f"{more}"
        "USER 1000\n"
    )  # fmt: skip
    return {
        "Dockerfile": dockerfile,
        "index.ipynb": json.dumps(notebook, indent=1),
        "README.md": f"# {name}\n",
    }


def jupyterlab_errors() -> PageErrors:
    """What JupyterLab's own page may complain of is not ours to judge: it is no secure context
    where it is not served from this machine. A browser starts its requests anew when an interface
    comes or goes, as they do on a machine that runs containers."""
    return PageErrors(allowed=["/user/", "Clipboard API not available", "ERR_NETWORK_CHANGED"])


async def run_first_cell(page: Page) -> str:
    """In JupyterLab with `index.ipynb` open: run the first cell, return its output."""
    await _wait_for_jupyterlab(page)
    await page.locator(".jp-Notebook").wait_for(timeout=60_000)
    # Before that, JupyterLab asks which kernel to use.
    await page.get_by_text("Python 3 (ipykernel) | Idle").wait_for(timeout=60_000)
    cell = page.locator(".jp-CodeCell").first
    await cell.locator(".cm-content").click()
    await page.keyboard.press("Shift+Enter")
    output = cell.locator(".jp-OutputArea-output")
    await output.first.wait_for(timeout=60_000)
    return (await output.first.inner_text()).strip()


async def _wait_for_jupyterlab(page: Page) -> None:
    """Until JupyterLab's address is open. A visitor before whom nothing moves for a minute and a
    half loads the page again, once; what it showed is written out, for it should not happen."""
    for seconds in (90, 150):
        try:
            await page.wait_for_url(
                "**/lab/tree/index.ipynb**", timeout=1000 * seconds, wait_until="commit"
            )
        except BrowserTimeout:
            shown = await page.locator("body").inner_text()
            sys.stdout.write(f"after {seconds} s {page.url} shows:\n{shown}\n")
            await page.reload()
        else:
            return
    raise AssertionError(f"JupyterLab did not open; {page.url} showed:\n{shown}")
