"""The pages of a federation, made from its settings and tried before anybody sees them.

A folder that cannot be read, or a template of the operator's that does not work, is told at
the start, with its name and line, and not to the first visitor.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError

from binder_federation.binder.errors import InvalidSpec
from binder_federation.config.load import ConfigurationError
from binder_federation.config.pages import PageSettings
from binder_federation.federation.pages.assets import load_assets
from binder_federation.federation.pages.environment import make_environment
from binder_federation.federation.pages.render import LaunchDescription, Pages
from binder_federation.federation.status.sample import sample_report

SAMPLE_URL = "http://binder.example"


def make_pages(settings: PageSettings, **others: Any) -> Pages:
    """The pages for `settings`; `others` are the further fields of `Pages`.

    Raises `ConfigurationError` when the operator's folders cannot be used.
    """
    for name, folder in (
        ("template_folder", settings.template_folder),
        ("static_folder", settings.static_folder),
    ):
        if folder is not None and not folder.is_dir():
            raise ConfigurationError(f"pages.{name}: {folder} is not a folder.")
    try:
        assets = load_assets(more=settings.static_folder)
    except OSError as error:
        raise ConfigurationError(
            f"pages.static_folder: {error.filename} cannot be read: {error.strerror}."
        ) from error
    for script in settings.extra_scripts:
        if not script.origin and script.src not in assets.files:
            raise ConfigurationError(
                f"pages.extra_scripts: {script.src} is not in {settings.static_folder}."
            )
    environment = make_environment(settings.template_folder)
    pages = Pages(settings=settings, assets=assets, environment=environment, **others)
    check(pages)
    return pages


def check(pages: Pages) -> None:
    """Render each page once; raises `ConfigurationError` for a template that does not work."""
    sample = LaunchDescription("GitHub", "owner/name", "HEAD", "https://github.com/owner/name")
    samples: dict[str, Callable[[], str]] = {
        "home.html": lambda: pages.home(SAMPLE_URL),
        "about.html": pages.about,
        "loading.html": lambda: pages.show_launch("gh/owner/name/HEAD", sample, SAMPLE_URL),
        "status.html": lambda: pages.status(sample_report()),
        "error.html": lambda: pages.error(InvalidSpec("A sample.")),
    }
    for name, render in samples.items():
        try:
            render()
        except (TemplateError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(
                f"pages.template_folder: the page {name} cannot be made: {_reason(error)}."
            ) from error


def _reason(error: Exception) -> str:
    """What is wrong and where, in one line."""
    message = str(error).strip().splitlines()[0].rstrip(".") if str(error) else repr(error)
    if isinstance(error, TemplateSyntaxError):
        return f"{message} ({Path(error.filename or error.name or '?').name}, line {error.lineno})"
    trace = error.__traceback__
    where = ""
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if filename.endswith(".html"):
            where = f" ({Path(filename).name}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return f"{message}{where}"
