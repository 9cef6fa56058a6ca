"""The sticky cookie: what it says, where it is sent to, and what is believed of it."""

from http.cookies import SimpleCookie

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.federation.sticky_cookie import NAME, read_member, write_member

PATH = "build/gh/owner/name/a%2Fb"


def test_over_https_it_reaches_streams_of_pages_elsewhere() -> None:
    text = write_member("alpha", launch_host="https://b.example/", path=PATH, seconds=14400)
    attributes = {part.strip() for part in text.split(";")}

    assert attributes == {
        f"{NAME}=alpha",
        f"Path=/{PATH}",
        "Max-Age=14400",
        "HttpOnly",
        "SameSite=None",
        "Secure",
        "Partitioned",
    }


def test_over_http_a_browser_keeps_it_only_as_lax() -> None:
    text = write_member("alpha", launch_host="http://localhost:8080/", path=PATH, seconds=60)

    assert "SameSite=Lax" in text
    assert "Secure" not in text, "a browser drops a Secure cookie that comes over http"


def test_behind_a_prefix_the_path_has_it_too() -> None:
    text = write_member("alpha", launch_host="https://h.example/binder/", path=PATH, seconds=60)

    assert f"Path=/binder/{PATH};" in text


@pytest.mark.parametrize(
    "path", ["build/gh/o/n;Domain=evil.example", "build/é", "build/a b", "build/" + "x" * 1001]
)
def test_no_cookie_for_a_path_that_it_cannot_have(path: str) -> None:
    assert write_member("alpha", launch_host="http://h/", path=path, seconds=60) == ""


@pytest.mark.parametrize(
    ("header", "member"),
    [
        (f"{NAME}=alpha", "alpha"),
        (f"a=b; {NAME}=al-pha2; c=d", "al-pha2"),
        (f"a=b;{NAME}=alpha ;c", "alpha"),
        (f"x{NAME}=alpha", ""),
        (f'{NAME}="alpha"', ""),
        (f"{NAME}=Alpha", ""),
        (f"{NAME}=", ""),
        (f"{NAME}={'a' * 64}", ""),
        ("", ""),
    ],
)
def test_it_is_read_among_others(header: str, member: str) -> None:
    assert read_member(header) == member


@given(st.text(max_size=200))
def test_no_header_is_too_strange(header: str) -> None:
    assert len(read_member(header)) <= 63


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True))
def test_what_is_written_is_read(member: str) -> None:
    text = write_member(member, launch_host="http://h/", path=PATH, seconds=60)
    parsed = SimpleCookie(text)

    assert read_member(f"{NAME}={parsed[NAME].value}") == member
    assert parsed[NAME]["path"] == f"/{PATH}"
