"""An operator's templates and files come before ours, and are tried at the start."""

from pathlib import Path
from typing import Any

import pytest

from binder_federation.config.load import ConfigurationError
from binder_federation.config.pages import ExtraScript, FooterLink, PageSettings
from binder_federation.federation.pages.making import make_pages
from binder_federation.federation.pages.render import Pages
from tests.support.scripted_federation import PROVIDERS, describe

URL = "http://binder.test"


def made(settings: PageSettings, **others: Any) -> Pages:
    return make_pages(settings, describe=describe, providers=PROVIDERS, version="1.2.3", **others)


def test_a_template_can_change_one_block_of_ours(tmp_path: Path) -> None:
    (tmp_path / "about.html").write_text(
        '{% extends "base:about.html" %}{% block about %}<p>{{ town }}!</p>{% endblock %}'
    )
    (tmp_path / "base.html").write_text(
        '{% extends "base:base.html" %}{% block extra_head %}<meta name="x">{% endblock %}'
    )
    pages = made(PageSettings(template_folder=tmp_path, variables={"town": "<Ghent>"}))
    assert "<p>&lt;Ghent&gt;!</p>" in pages.about()
    assert "What happens when you open a link" in pages.about()
    assert '<meta name="x">' in pages.home(URL)


def test_a_static_file_can_stand_in_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "mark.svg").write_text("<svg>own</svg>")
    (tmp_path / "visits.js").write_text("// counts")
    scripts = (ExtraScript(src="visits.js", module=True), ExtraScript(src="https://a.test/b.js"))
    pages = made(PageSettings(static_folder=tmp_path, extra_scripts=scripts))
    assert pages.assets.files["mark.svg"].content == b"<svg>own</svg>"
    assert pages.assets.digest != made(PageSettings()).assets.digest
    for html in (pages.home(URL), pages.about(), pages.loading("gh/o/r/HEAD", URL)):
        assert f'src="{pages.assets.path("visits.js")}" type="module"' in html
        assert 'src="https://a.test/b.js" defer' in html


def test_a_script_carries_its_integrity_and_data() -> None:
    script = ExtraScript(
        src="https://a.test/b.js", integrity="sha256-abc=", attributes={"data-site": '"><x>'}
    )
    html = made(PageSettings(extra_scripts=(script,))).about()
    assert 'integrity="sha256-abc=" crossorigin="anonymous" data-site="&#34;&gt;&lt;x&gt;"' in html


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("home.html", "{% extends 'base:home.html' %}{% block main %}{{ nobody }}", "home.html"),
        ("home.html", "{% if %}", "home.html, line 1"),
        (
            "about.html",
            "\n\n{{ missing_name }}",
            "'missing_name' is undefined (about.html, line 3)",
        ),
        ("loading.html", "{{ asset('gone.js') }}", "gone.js"),
        ("error.html", '{% extends "nobody.html" %}', "nobody.html"),
    ],
)
def test_a_template_that_does_not_work_is_told_at_the_start(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        made(PageSettings(template_folder=tmp_path))
    assert caught.value.message.startswith(f"pages.template_folder: the page {name}")
    assert words in caught.value.message


@pytest.mark.parametrize("name", ["template_folder", "static_folder"])
def test_a_folder_that_is_not_there_is_told_at_the_start(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"pages\.{name}: .*gone is not a folder"):
        made(PageSettings.model_validate({name: tmp_path / "gone"}))


def test_a_script_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    scripts = (ExtraScript(src="gone.js"),)
    with pytest.raises(ConfigurationError, match=r"gone\.js is not in"):
        made(PageSettings(static_folder=tmp_path, extra_scripts=scripts))


def test_name_banner_and_links_are_on_every_page() -> None:
    settings = PageSettings(
        site_name="Uni <Binder>",
        banner_html="<b>News</b>",
        footer_links=(FooterLink(text="Imprint", url="/imprint"),),
        about_html="<p>Ours</p>",
    )
    pages = made(settings, public_url="https://site.test/binder")
    for html in (pages.home(URL), pages.about(), pages.loading("gh/o/r/HEAD", URL)):
        assert "Uni &lt;Binder&gt;" in html
        assert "<b>News</b>" in html
        assert '<a href="/binder/imprint" rel="noopener">Imprint</a>' in html
    assert "<p>Ours</p>" in pages.about()
    assert "banner.js" not in made(PageSettings()).about()
    kept = PageSettings(banner_html="x", banner_can_be_closed=False)
    assert "banner.js" not in made(kept).about()
