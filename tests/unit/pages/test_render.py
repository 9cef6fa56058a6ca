"""What the pages say, and that a hostile link stays text."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from binder_federation.binder.errors import InvalidSpec
from binder_federation.federation.pages.render import LaunchDescription, Pages
from tests.support.scripted_federation import PROVIDERS, describe

HOSTILE = '"><script>alert(1)</script>'


def make_pages(**options: Any) -> Pages:
    return Pages(**{"describe": describe, "providers": PROVIDERS, "version": "1.2.3", **options})


def config_of(html: str, element_id: str) -> Any:
    found = re.search(rf'<script type="application/json" id="{element_id}">(.*?)</script>', html)
    assert found, f"the page has no data block {element_id}"
    return json.loads(found[1])


def test_the_loading_page_names_what_is_launched() -> None:
    html = make_pages().loading("gh/owner/name/feature/x", "http://binder.test")
    assert '<meta property="og:title" content="owner/name (feature/x)">' in html
    assert (
        '<meta property="og:url" content="http://binder.test/v2/gh/owner/name/feature/x">' in html
    )
    assert '<a href="https://github.com/owner/name" rel="noopener">owner/name</a>' in html
    config = config_of(html, "launch-config")
    assert config["buildPath"] == "/build/gh/owner/name/feature/x"
    assert config["source"] == "GitHub"
    assert set(config["icons"]) == {"building", "launching", "ready", "failed"}


@pytest.mark.parametrize(
    ("url", "name", "source"),
    [
        ("https://host.test:8443/team/name.git", "name", "host.test"),
        ("file:///srv/examples/first/", "first", "Git"),
        ("git@host.test:name.git", "name", "host.test"),
    ],
)
def test_a_url_is_shown_by_its_last_part_and_whole(url: str, name: str, source: str) -> None:
    html = make_pages(describe=lambda _: LaunchDescription("Git", url, "HEAD", "")).loading(
        "git/x/HEAD", "http://binder.test"
    )
    assert f"<title>Starting {name}</title>" in html
    assert url in html
    config = config_of(html, "launch-config")
    assert (config["repository"], config["source"]) == (name, source)


def test_a_malformed_link_raises_its_own_error() -> None:
    with pytest.raises(InvalidSpec):
        make_pages().loading("gh/owner", "http://binder.test")


def test_hostile_text_stays_text() -> None:
    def describe_hostile(raw_path: str, /) -> LaunchDescription:
        return LaunchDescription(HOSTILE, HOSTILE, HOSTILE, f"javascript:{HOSTILE}")

    html = make_pages(describe=describe_hostile).loading(f"gh/{HOSTILE}", "http://binder.test")
    assert "<script>alert" not in html
    assert "javascript:" not in html
    assert config_of(html, "launch-config")["repository"] == HOSTILE


def test_an_error_page_gives_message_and_advice() -> None:
    html = make_pages().error(InvalidSpec(f"It is {HOSTILE}.", advice="Do this."))
    assert "<script>alert" not in html
    assert "Do this." in html


def test_pages_link_below_the_public_url_s_path() -> None:
    pages = make_pages(public_url="https://site.test/binder", example="/v2/gh/o/r/HEAD")
    home = pages.home("http://internal:8080")
    local = re.findall(r'(?:href|src)="(/[^"]*)"', home)
    assert local
    assert all(path.startswith("/binder/") for path in local), local
    assert "internal" not in home
    assert 'href="/binder/v2/gh/o/r/HEAD"' in home


@pytest.mark.parametrize("page", ["home", "loading", "about", "error"])
def test_no_page_has_inline_script_or_style(page: str) -> None:
    pages = make_pages()
    make: dict[str, Callable[[], str]] = {
        "home": lambda: pages.home("http://binder.test"),
        "loading": lambda: pages.loading("gh/o/r/HEAD", "http://binder.test"),
        "about": pages.about,
        "error": lambda: pages.error(InvalidSpec("No.")),
    }
    html = make[page]()
    scripts = re.findall(r"<script([^>]*)>", html)
    assert all("src=" in s or 'type="application/json"' in s for s in scripts), scripts
    assert not re.findall(r"<style|\sstyle=|\son[a-z]+=", html)
    assert '<html lang="en">' in html
    assert html.count("<h1") == 1


def test_the_example_is_offered_only_if_there_is_one() -> None:
    assert "try the example" not in make_pages().home("http://binder.test")
