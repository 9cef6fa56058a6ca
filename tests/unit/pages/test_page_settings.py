"""What an operator can say about the pages, and what is refused with a sentence."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from binder_federation.config.pages import ExtraScript, PageSettings
from binder_federation.federation.pages.policy import content_security_policy

STATISTICS = {
    "src": "https://stats.uni.example/js/script.js",
    "attributes": {"data-site": "binder"},
    "connect_to": ["https://collect.uni.example"],
}


@pytest.mark.parametrize(
    "settings",
    [
        {"extra_scripts": ["var _paq = window._paq || [];"]},
        {"extra_scripts": [{"code": "alert(1)"}]},
        {"extra_scripts": {"01-matomo": "var _paq = [];"}},
        {"extra_scripts": "var _paq = [];"},
        {"extra_scripts": [{"src": "var _paq = [];"}]},
        {"banner_html": "<script>alert(1)</script>"},
        {"banner_html": '<b style="color: red">Hi</b>'},
        {"about_html": '<a onclick="x()">Hi</a>'},
    ],
    ids=str,
)
def test_inline_code_is_refused_and_told_where_it_belongs(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="allows no inline scripts or styles: put the code"):
        PageSettings(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"extra_scripts": [{"src": "https://a.test/x.js; script-src *"}]},
        {"extra_scripts": [{"src": "https://a.test'/x.js"}]},
        {"extra_scripts": [{"src": "../x.js"}]},
        {"extra_scripts": [{**STATISTICS, "connect_to": ["https://a.test/path"]}]},
        {"extra_scripts": [{**STATISTICS, "attributes": {"onload": "x()"}}]},
        {"extra_scripts": [{"src": "visits.js"}]},
        {"footer_links": [{"text": "x", "url": "javascript:alert(1)"}]},
        {"footer_links": [{"text": "", "url": "https://a.test"}]},
        {"site_name": ""},
        {"sitename": "x"},
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PageSettings(**settings)


def test_a_script_s_origins_become_part_of_the_policy(tmp_path: Path) -> None:
    settings = PageSettings(
        extra_scripts=(ExtraScript(**STATISTICS), ExtraScript(src="own.js")),
        static_folder=tmp_path,
    )
    policy = content_security_policy(["https://member.example"], settings.extra_scripts)
    rules = dict(part.split(" ", 1) for part in policy.split("; "))
    assert rules["script-src"] == "'self' https://stats.uni.example"
    targets = "https://stats.uni.example https://collect.uni.example"
    assert rules["connect-src"] == f"'self' https://member.example {targets}"
    assert rules["img-src"] == f"'self' data: {targets}"
    assert rules["style-src"] == "'self'"


def test_without_scripts_the_policy_names_nobody_else() -> None:
    assert "http" not in content_security_policy()
