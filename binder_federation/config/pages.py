"""Settings of the pages: what an operator can say, add and replace (docs/pages.md).

HTML given here is the operator's own and stands in the pages as it is. Inline scripts and
styles in it would be refused by the pages' Content-Security-Policy, so they are refused here,
with a sentence.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from binder_federation.config.providers import Section

INLINE = (
    "the pages' Content-Security-Policy allows no inline scripts or styles: put the code into "
    "a file of pages.static_folder, and name it in pages.extra_scripts as src"
)
_INLINE_CODE = re.compile(r"<\s*(script|style)\b|<[^>]*\s(on[a-z]+|style)\s*=", re.IGNORECASE)
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?")


def _html(value: str) -> str:
    if _INLINE_CODE.search(value):
        raise ValueError(INLINE)
    return value


def _web_url(value: str) -> str:
    if not re.fullmatch(r"(https?://[^\s;,'\"]+|mailto:[^\s;,'\"]+|/[^\s;,'\"]*)", value):
        raise ValueError("must be a URL that begins with https://, http://, mailto: or /")
    return value


def _origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value):
        raise ValueError("must be an origin such as https://stats.example.org")
    return value


Html = Annotated[str, AfterValidator(_html)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
Origin = Annotated[str, AfterValidator(_origin)]


class FooterLink(Section):
    """One link at the foot of every page."""

    text: Annotated[str, Field(min_length=1, max_length=100)]
    url: WebUrl


class ExtraScript(Section):
    """A script that every page loads, such as one that counts visits."""

    src: str
    """`https://…`, or the name of a file in `pages.static_folder`."""
    module: bool = False
    """An ES module; else a classic script, deferred until the page is there."""
    integrity: Annotated[str, Field(pattern=r"^(sha(256|384|512)-[A-Za-z0-9+/=]+)?$")] = ""
    attributes: dict[Annotated[str, Field(pattern=r"^data-[a-z0-9-]+$")], str] = Field(
        default_factory=dict
    )
    """`data-…` attributes, from which many such scripts read their settings."""
    connect_to: tuple[Origin, ...] = ()
    """Further origins that it may load pictures from and send to; its own is among them."""

    @model_validator(mode="before")
    @classmethod
    def _is_no_code(cls, value: Any) -> Any:
        is_code = isinstance(value, str) or (isinstance(value, dict) and "src" not in value)
        if is_code:
            raise ValueError(INLINE)
        return value

    @field_validator("src")
    @classmethod
    def _is_address_or_file(cls, value: str) -> str:
        is_address = bool(re.fullmatch(r"https?://[^\s;,'\"]+", value)) and _ORIGIN.fullmatch(
            _origin_of(value)
        )
        if not is_address and not _FILE_NAME.fullmatch(value):
            raise ValueError(f"must be an https:// address or a file's name; {INLINE}")
        return value

    @property
    def origin(self) -> str:
        """Where it comes from, or "" for a file of ours."""
        return _origin_of(self.src)


class PageSettings(Section):
    """The pages. Templates and static files of the operator come before ours."""

    enabled: bool = True
    """Without pages only the API answers."""
    site_name: Annotated[str, Field(min_length=1, max_length=80)] = "Binder Federation"
    description: Annotated[str, Field(max_length=300)] = (
        "Turn a repository into live notebooks that anybody can open with a link."
    )
    """For search engines, and cards of shared links."""
    banner_html: Html = ""
    """Stands above every page: maintenance, news."""
    banner_can_be_closed: bool = True
    """A visitor who closes it sees it again when it says something else."""
    about_html: Html = ""
    """Added to the page `/about`."""
    footer_links: tuple[FooterLink, ...] = ()
    extra_scripts: tuple[ExtraScript, ...] = ()
    template_folder: Path | None = None
    static_folder: Path | None = None
    variables: dict[str, Any] = Field(default_factory=dict)
    """Further names for the operator's templates."""
    previews: bool = True
    """Show the notebook that a link opens while its server starts."""
    preview_raw_url: WebUrl | None = None
    """Where files of GitHub's repositories are, as `<url>/<owner>/<name>/<commit>/<path>`; by
    default raw.githubusercontent.com, and the API for a GitHub Enterprise host."""

    @field_validator("extra_scripts", mode="before")
    @classmethod
    def _is_a_list(cls, value: Any) -> Any:
        if isinstance(value, str | dict):
            raise ValueError(f"must be a list of {{src: …}}; {INLINE}")
        return value

    @model_validator(mode="after")
    def _files_have_a_folder(self) -> Self:
        files = [script.src for script in self.extra_scripts if not script.origin]
        if files and self.static_folder is None:
            raise ValueError(f"extra_scripts: {files[0]} needs pages.static_folder, where it is")
        return self


def _origin_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
