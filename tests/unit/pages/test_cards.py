"""The cards that shared links become: right for every provider, and only ever text."""

import re
from html import unescape
from pathlib import Path

import pytest
from PIL import Image

from binder_federation.config.pages import PageSettings
from binder_federation.federation.pages.assets import STATIC_FOLDER
from binder_federation.federation.pages.making import make_pages
from binder_federation.federation.pages.render import LaunchDescription, Pages
from tests.support.scripted_federation import PROVIDERS, describe

SITE = "https://binder.test"
GIST = "0123456789abcdef0123456789abcdef"
HOSTILE = "\"><script>alert(1)</script>'&"


def pages(**others: object) -> Pages:
    return make_pages(
        PageSettings(site_name="Uni Binder"),
        **{"describe": describe, "providers": PROVIDERS, "version": "1", **others},
    )


def card(html: str) -> dict[str, str]:
    """The card's properties by their names."""
    found = re.findall(r'<meta (?:property|name)="((?:og|twitter):[^"]+)" content="([^"]*)">', html)
    assert len(found) == len(dict(found)), "a property stands there twice"
    return {name: unescape(value) for name, value in found}


LINKS = [
    ("gh/owner/name/feature/x", "owner/name (feature/x)", "GitHub"),
    (f"gist/user/{GIST}", f"user/{GIST} (HEAD)", "Gist"),
    ("gl/group%2Fsub%2Fname/main", "group/sub/name (main)", "GitLab.com"),
    ("bitbucket/work%2Fname/HEAD", "work/name (HEAD)", "Bitbucket"),
    ("git/https%3A%2F%2Fh.test%2Fr.git/v1", "https://h.test/r.git (v1)", "Git repository"),
    ("zenodo/10.5281/zenodo.3242074", "10.5281/zenodo.3242074", "Zenodo DOI"),
    (
        "figshare/10.6084/m9.figshare.9782777",
        "10.6084/m9.figshare.9782777",
        "Figshare DOI",
    ),
    ("dataverse/10.7910/DVN/TJCLKP", "10.7910/DVN/TJCLKP", "Dataverse DOI"),
    (f"hydroshare/{GIST}", GIST, "Hydroshare resource"),
    (
        "ckan/https%3A%2F%2Fdemo.ckan.org%2Fdataset%2Fsample",
        "https://demo.ckan.org/dataset/sample",
        "CKAN dataset",
    ),
]


@pytest.mark.parametrize(("path", "title", "source"), LINKS)
def test_a_launch_link_s_card_names_it(path: str, title: str, source: str) -> None:
    shown = card(pages().loading(path, SITE))
    assert shown["og:title"] == shown["twitter:title"] == title
    assert f" from {source} as live notebooks" in shown["og:description"]
    assert shown["og:url"] == f"{SITE}/v2/{path}"
    assert shown["og:image"] == shown["twitter:image"] == f"{SITE}/logo_social.png"
    assert shown["og:site_name"] == "Uni Binder"
    assert shown["twitter:card"] == "summary_large_image"


def test_every_provider_is_among_them() -> None:
    assert {path.partition("/")[0] for path, _, _ in LINKS} == {each["id"] for each in PROVIDERS}


def test_the_home_page_has_a_card() -> None:
    shown = card(pages(public_url="https://site.test/binder").home(SITE))
    assert shown["og:title"] == "Uni Binder"
    assert shown["og:url"] == "https://site.test/binder/"
    assert shown["og:image"] == "https://site.test/binder/logo_social.png"


def test_a_hostile_name_stays_text_in_the_card() -> None:
    def describe_hostile(_raw_path: str, /) -> LaunchDescription:
        return LaunchDescription(HOSTILE, HOSTILE, HOSTILE, "")

    html = pages(describe=describe_hostile).loading(f"gh/{HOSTILE}", SITE)
    assert "<script>alert" not in html
    assert card(html)["og:title"] == f"{HOSTILE} ({HOSTILE})"


def test_the_picture_has_the_size_that_the_card_says() -> None:
    path: Path = STATIC_FOLDER / "logo_social.png"
    with Image.open(path) as picture:
        assert (picture.format, picture.size) == ("PNG", (1200, 630))
    shown = card(pages().home(SITE))
    assert (shown["og:image:width"], shown["og:image:height"]) == ("1200", "630")
