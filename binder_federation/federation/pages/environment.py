"""The templates: ours, and before them those of an operator.

A template of the operator's folder stands in the place of ours of the same name. It can
extend ours as `{% extends "base:home.html" %}` and change one block.
"""

from functools import lru_cache
from pathlib import Path

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
)

TEMPLATE_FOLDER = Path(__file__).parent / "templates"
PREFIX = "base"


@lru_cache(maxsize=4)
def make_environment(folder: Path | None = None) -> Environment:
    """Templates that escape everything and fail on a name that is not given.

    `folder` is the operator's. The same one twice is one environment, which keeps what it
    compiled (50 ms) and notices a file that changed.
    """
    ours = FileSystemLoader(TEMPLATE_FOLDER)
    loaders: list[BaseLoader] = [ours, PrefixLoader({PREFIX: ours}, delimiter=":")]
    if folder is not None:
        loaders.insert(0, FileSystemLoader(folder))
    return Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
