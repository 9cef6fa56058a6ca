"""A member's signature holds for its own body, of now, with its own credential."""

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.build_tokens import BuildClaims, sign_build_token
from binder_federation.binder.errors import NotAuthorized
from binder_federation.binder.report_tokens import (
    ClockOff,
    ReportClaims,
    _signing_key,
    is_signature,
    peek,
    sign_report,
    sign_request,
    verify_report,
    verify_request,
)

KEY = "the credential of alpha, a random text"
OTHER_KEY = "the credential of beta, a random text"
NOW = 1_800_000_000.4
BODY = b'{"member": "alpha"}'


def verify_all(key: str, token: str, *, body: bytes, now: float) -> ReportClaims:
    """The claims of a token that is for this body."""
    claims = verify_report(key, token, now=now)
    claims.check_body(body)
    return claims


def signed(*, now: float = NOW, key: str = KEY, body: bytes = BODY) -> str:
    return sign_report(
        key, member="alpha", session="s1", sequence=7, body=body, now=now, generation=3
    )


@given(body=st.binary(max_size=100), sequence=st.integers(0, 2**40), session=st.text(max_size=64))
def test_claims_survive(body: bytes, sequence: int, session: str) -> None:
    token = sign_report(KEY, member="alpha", session=session, sequence=sequence, body=body, now=NOW)
    claims = ReportClaims("alpha", 0, session, sequence)
    assert verify_all(KEY, token, body=body, now=NOW) == claims
    assert peek(token) == claims
    assert is_signature(token)


def test_it_is_for_one_body() -> None:
    with pytest.raises(NotAuthorized, match="another report"):
        verify_all(KEY, signed(), body=BODY + b" ", now=NOW)


def test_another_members_key_is_refused() -> None:
    with pytest.raises(NotAuthorized, match="not this member's"):
        verify_all(OTHER_KEY, signed(), body=BODY, now=NOW)


@pytest.mark.parametrize("seconds", [-59, 0, 59])
def test_clocks_may_differ_a_little(seconds: int) -> None:
    assert verify_all(KEY, signed(now=NOW + seconds), body=BODY, now=NOW).generation == 3


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-90, "90 seconds behind"),
        (300, "300 seconds ahead of"),
        (-7200, "2 hours behind"),
        (864_000, "10 days ahead of"),
        (-1_799_999_000, "many years behind"),
    ],
)
def test_a_clock_that_is_off_is_told_by_how_much(seconds: int, said: str) -> None:
    with pytest.raises(ClockOff, match=said):
        verify_all(KEY, signed(now=NOW + seconds), body=BODY, now=NOW)


def test_a_forged_clock_is_not_told_anything() -> None:
    with pytest.raises(NotAuthorized, match="not this member's"):
        verify_all(OTHER_KEY, signed(now=0), body=BODY, now=NOW)


def test_a_build_token_is_no_report() -> None:
    stolen = sign_build_token(KEY, BuildClaims("binderfed-report"), now=NOW)
    with pytest.raises(NotAuthorized):
        verify_all(KEY, stolen, body=BODY, now=NOW)


def test_a_request_is_for_one_method_and_path() -> None:
    path = "/api/join/checks"
    token = sign_request(KEY, member="alpha", method="GET", path=path, now=NOW, generation=1)
    claims = verify_request(KEY, token, method="GET", path=path, now=NOW)
    assert claims == ReportClaims("alpha", 1)
    for method, other in (("POST", path), ("GET", "/api/join/leave")):
        with pytest.raises(NotAuthorized, match="another request"):
            verify_request(KEY, token, method=method, path=other, now=NOW)
    with pytest.raises(NotAuthorized):
        verify_all(KEY, token, body=b"", now=NOW)


def test_an_unsigned_token_is_refused() -> None:
    claims = jwt.decode(signed(), options={"verify_signature": False})
    with pytest.raises(NotAuthorized):
        verify_all(KEY, jwt.encode(claims, "", algorithm="none"), body=BODY, now=NOW)


@pytest.mark.parametrize(
    "wrong", [{"sub": 3}, {"gen": "1"}, {"gen": True}, {"seq": None}, {"sid": []}, {"iat": "now"}]
)
def test_claims_have_their_types(wrong: dict[str, object]) -> None:
    claims = jwt.decode(signed(), options={"verify_signature": False})
    try:
        token = jwt.encode({**claims, **wrong}, _signing_key(KEY), algorithm="HS256")
    except TypeError:
        return  # the library refuses to write it
    with pytest.raises(NotAuthorized):
        verify_all(KEY, token, body=BODY, now=NOW)


@given(text=st.text(max_size=100))
def test_rubbish_is_refused(text: str) -> None:
    with pytest.raises(NotAuthorized):
        verify_all(KEY, text, body=BODY, now=NOW)
    with pytest.raises(NotAuthorized):
        peek(text)
    assert not is_signature(text) or text.count(".") == 2
