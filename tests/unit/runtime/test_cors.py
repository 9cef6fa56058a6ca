"""CORS: which origins are echoed, and what a preflight allows."""

import pytest
from aiohttp.test_utils import make_mocked_request

from binder_federation.config.cors import CorsSettings
from binder_federation.runtime.cors import CorsPolicy

METHODS = "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    "origin",
    [
        "https://book.example",
        "http://127.0.0.1:8888",
        "http://[::1]:8000",
        "https://xn--bcher-kva.example",
        "chrome-extension://abcdefgh",
        "null",
    ],
)
def test_every_origin_is_echoed_and_may_use_credentials(origin: str) -> None:
    headers = CorsPolicy().answer_headers(origin)

    assert headers["Access-Control-Allow-Origin"] == origin
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert headers["Vary"] == "Origin", "a cache must not give it to another origin"
    assert "Retry-After" in headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize(
    "origin",
    [None, "", "*", "https://a.example/path", "https://a\r\nX: y", "https://ü.example", "a" * 999],
)
def test_what_no_browser_sends_is_not_echoed(origin: str | None) -> None:
    assert CorsPolicy().answer_headers(origin) == {
        "Access-Control-Allow-Origin": "*",
        "Vary": "Origin",
    }


def test_where_origins_are_named_no_other_one_may_read() -> None:
    policy = CorsPolicy(CorsSettings(origins=("https://Book.example",)).named)

    allowed = policy.answer_headers("https://book.example")
    assert allowed["Access-Control-Allow-Origin"] == "https://book.example"
    for other in ("https://book.example.evil", "http://book.example", "null", None):
        assert policy.answer_headers(other) == {"Vary": "Origin"}, other


def test_settings_tell_an_origin_from_a_page() -> None:
    assert CorsSettings().named is None
    with pytest.raises(ValueError, match="an origin such as"):
        CorsSettings(origins=("https://book.example/page",))
    with pytest.raises(ValueError, match="an origin such as"):
        CorsSettings(origins=("book.example",))


@pytest.mark.parametrize("wanted", ["cache-control", "authorization, x-xsrftoken,last-event-id"])
def test_a_preflight_allows_what_the_page_wants_to_send(wanted: str) -> None:
    request = make_mocked_request(
        "OPTIONS", "/build/x", headers={"Access-Control-Request-Headers": wanted}
    )
    headers = CorsPolicy().preflight(request, methods=METHODS).headers

    assert headers["Access-Control-Allow-Headers"] == wanted
    assert headers["Access-Control-Allow-Methods"] == METHODS


@pytest.mark.parametrize("wanted", ["", "a b", "a\x00", "é", "a," * 600])
def test_what_is_no_list_of_headers_is_not_echoed(wanted: str) -> None:
    request = make_mocked_request(
        "OPTIONS", "/build/x", headers={"Access-Control-Request-Headers": wanted}
    )
    headers = CorsPolicy().preflight(request, methods=METHODS).headers

    assert "Authorization" in headers["Access-Control-Allow-Headers"]
    assert wanted == "" or wanted not in headers["Access-Control-Allow-Headers"]
