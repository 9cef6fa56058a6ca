"""A page of a command: what `--help` says of it and of each of its subcommands."""

import argparse
import os
from collections.abc import Iterator

WIDTH = "100"


def describe_command(parser: argparse.ArgumentParser) -> str:
    """The page, as Markdown."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = WIDTH  # argparse folds to the terminal, and a page has none
    try:
        return f"# The command `{parser.prog}`\n\n" + "\n".join(_sections(parser))
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def _sections(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f"```text\n{parser.format_help().rstrip()}\n```\n"
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in dict.fromkeys(action.choices.values()):
                yield f"## `{inner.prog}`\n"
                yield from _sections(inner)
