"""No secret gets through the scrubber, and what is none does."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.config.federation import FederationSettings
from binder_federation.runtime.scrubbing import (
    HIDDEN,
    MOST_CHARACTERS,
    MOST_DEPTH,
    Scrubber,
    find_secrets,
)

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbHBoYSJ9.s3cr3tsignature"
SECRET = st.from_regex(r"[A-Za-z0-9_-]{16,40}", fullmatch=True).filter(
    lambda text: text not in HIDDEN and not text.isalpha()
)
WORDS = st.text(alphabet="abc xyz,.\n:", max_size=30)
CARRIERS = (
    "https://{}@github.com/o/r.git",
    "https://x-access-token:{}@github.com/o/r.git",
    "redis://:{}@redis:6379/0",
    "GET /build/gh/o/r/HEAD?token={}&x=1",
    "/build?build_token={}",
    "Authorization: Bearer {}",
    "authorization: token {}",
    '{{"headers": {{"Authorization": "Basic {}"}}}}',
    "{{'credential': '{}', 'a': 1}}",
    '{{"admin_token": "{}"}}',
    "bearer {}",
    "bfi_abc.{}",
    "password={}",
    "Cookie: binder={}; more",
    "token 1{}",
    "eyJhbGci.{}.{}",
)
NAMES = ("token", "admin_token", "credential", "Authorization", "git_password", "client_secret",
         "cookies", "api_key", "joining_key", "old_credentials", "jwt")  # fmt: skip


@given(secret=SECRET, carrier=st.sampled_from(CARRIERS), before=WORDS, after=WORDS)
def test_nothing_that_looks_like_a_secret_stays(
    secret: str, carrier: str, before: str, after: str
) -> None:
    text = f"{before} {carrier.format(secret, secret)} {after}"

    scrubbed = Scrubber().text(text)

    assert secret not in scrubbed, f"{carrier} told its secret"
    assert HIDDEN in scrubbed


@given(
    secret=SECRET,
    name=st.sampled_from(NAMES),
    path=st.lists(st.sampled_from(["mapping", "list", "tuple", "set"]), max_size=MOST_DEPTH + 3),
)
def test_a_secret_is_found_at_any_depth(secret: str, name: str, path: list[str]) -> None:
    value: Any = {name: secret}
    for kind in path:
        match kind:
            case "mapping":
                value = {"inner": value}
            case "list":
                value = [value]
            case "tuple":
                value = (value, 1)
            case _:
                value = [frozenset({f"{name}={secret}"}), value]

    scrubbed = Scrubber().fields({"event": "something", "detail": value, name: [secret]})

    assert secret not in repr(scrubbed)
    assert scrubbed["event"] == "something"


@given(secret=SECRET, before=WORDS, after=WORDS)
def test_a_known_secret_goes_wherever_it_stands(secret: str, before: str, after: str) -> None:
    scrubber = Scrubber([secret, "short"])

    found = scrubber.fields(
        {"event": f"{before}{secret}{after}", "at": {secret: [secret.encode()]}}
    )

    assert secret not in repr(found)


def test_of_secrets_that_begin_alike_the_longest_goes() -> None:
    scrubber = Scrubber(["secret-one", "secret-one-and-more", "secret-two"])

    found = scrubber.text("secret-one-and-more/secret-two/secret-one/secret-on")

    assert found == f"{HIDDEN}/{HIDDEN}/{HIDDEN}/secret-on"


def test_an_objects_own_words_are_scrubbed() -> None:
    class Thing:
        def __repr__(self) -> str:
            return "Thing(token='0123456789abcdef')"

    found = Scrubber().fields({"thing": Thing(), "error": ValueError("password=hunter2hunter2")})

    assert "0123456789abcdef" not in repr(found)
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        "member_state_changed",
        "Looking up owner/repository at 1234567890abcdef1234567890abcdef12345678.",
        "https://github.com/owner/repository.git",
        "the token expired, bring a new one",
        "https://example.org/a@b",
        "mailto:somebody@example.org",
        "gh/owner/token-repository/HEAD",
    ],
)
def test_ordinary_words_stay(text: str) -> None:
    assert Scrubber().text(text) == text


def test_flags_and_numbers_of_secret_names_stay() -> None:
    fields = {"has_token": True, "tokens": 5, "credential": None, "cookie": ""}

    assert Scrubber().fields(fields) == fields


def test_what_is_very_long_is_cut_and_costs_no_time() -> None:
    hostile = "://" + "a" * 2_000_000 + " token=" * 1000 + "eyJ" * 100_000

    scrubbed = Scrubber().text(hostile)

    assert len(scrubbed) < MOST_CHARACTERS * 3


def test_settings_tell_their_secrets() -> None:
    settings = FederationSettings.model_validate(
        {
            "members": [
                {
                    "name": "a",
                    "url": "http://a",
                    "credential": "c" * 20,
                    "old_credentials": ["o" * 20],
                }
            ],
            "admin": {"token": "t" * 20},
            "redis": {"url": "redis://:pw@host"},
            "telemetry": {"otlp_endpoint": "http://otlp", "otlp_headers": {"x-key": "h" * 20}},
        }
    )

    assert find_secrets(settings) >= {
        "c" * 20,
        "o" * 20,
        "t" * 20,
        "h" * 20,
        "redis://:pw@host",
    }


def test_every_way_in_which_a_jwt_comes_is_closed() -> None:
    for text in (JWT, f"a {JWT} b", f'"{JWT}"', f"x={JWT}"):
        assert not re.search(r"s3cr3t|eyJzdWI", Scrubber().text(text))
