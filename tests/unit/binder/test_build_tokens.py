"""A build token opens the one launch that it was signed for, and only for a while."""

import time

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from binder_federation.binder.build_tokens import (
    LIFETIME_SECONDS,
    BuildClaims,
    _signing_key,
    sign_build_token,
    verify_build_token,
)
from binder_federation.binder.errors import InvalidSpec, NotAuthorized

KEY = "a key of at least thirty-two bytes, as HS256 wants"
OTHER_KEY = "another key of at least thirty-two bytes, for HS256"
AUDIENCE = "gh/ada/engine/a%2Fb"
texts = st.text(max_size=50)


@given(
    claims=st.builds(
        BuildClaims,
        audience=st.text(min_size=1, max_size=50),
        client_address=texts,
        launch_host=texts,
        request=texts,
        origin=texts,
        launch=texts,
        user=st.sampled_from(["", "ada", "_Ada.L-1@example.org", "a" * 64]),
        resolved_ref=st.sampled_from(
            ["", "103", "9782777.v3", "a-data_set.v1700000000", "f" * 200]
        ),
    )
)
def test_claims_survive(claims: BuildClaims) -> None:
    token = sign_build_token(KEY, claims, now=time.time())
    assert verify_build_token(KEY, token, audience=claims.audience) == claims


def token_from(seconds_ago: float) -> str:
    return sign_build_token(KEY, BuildClaims(AUDIENCE), now=time.time() - seconds_ago)


def test_it_is_for_one_launch() -> None:
    with pytest.raises(NotAuthorized, match="not valid for this launch"):
        verify_build_token(KEY, token_from(0), audience="gh/ada/engine/main")


def test_it_expires() -> None:
    verify_build_token(KEY, token_from(LIFETIME_SECONDS - 30), audience=AUDIENCE)
    with pytest.raises(NotAuthorized, match="expired"):
        verify_build_token(KEY, token_from(LIFETIME_SECONDS + 60), audience=AUDIENCE)


def test_another_key_is_refused() -> None:
    with pytest.raises(NotAuthorized, match="not valid"):
        verify_build_token(OTHER_KEY, token_from(0), audience=AUDIENCE)


def test_an_unsigned_token_is_refused() -> None:
    claims = {"aud": AUDIENCE, "exp": int(time.time()) + 100}
    forged = jwt.encode(claims, "", algorithm="none")
    with pytest.raises(NotAuthorized):
        verify_build_token(KEY, forged, audience=AUDIENCE)


def test_a_token_that_never_expires_is_refused() -> None:
    forged = jwt.encode({"aud": AUDIENCE}, KEY, algorithm="HS256")
    with pytest.raises(NotAuthorized):
        verify_build_token(KEY, forged, audience=AUDIENCE)


@given(token=st.text(max_size=100))
def test_rubbish_is_refused(token: str) -> None:
    with pytest.raises(NotAuthorized):
        verify_build_token(KEY, token, audience=AUDIENCE)


BAD_USERS = ["a/b", "..", ".a", "-a", "@a", "a b", "a?", "a%2Fb", "ä", "a" * 65, "a\n", "a+b"]


@pytest.mark.parametrize("user", BAD_USERS)
def test_a_user_that_could_lead_elsewhere_is_refused(user: str) -> None:
    claims = BuildClaims(AUDIENCE, user=user)
    with pytest.raises(InvalidSpec, match="user"):
        sign_build_token(KEY, claims, now=time.time())
    honest = sign_build_token(KEY, BuildClaims(AUDIENCE, user="ada"), now=time.time())
    payload = jwt.decode(honest, options={"verify_signature": False})
    forged = jwt.encode({**payload, "user": user}, _signing_key(KEY), algorithm="HS256")
    with pytest.raises(NotAuthorized, match="user"):
        verify_build_token(KEY, forged, audience=AUDIENCE)


@pytest.mark.parametrize("user", [None, 3, ["ada"], True, 0])
def test_a_user_is_a_text(user: object) -> None:
    payload = {"aud": AUDIENCE, "exp": time.time() + 60, "user": user}
    token = jwt.encode(payload, _signing_key(KEY), algorithm="HS256")
    with pytest.raises(NotAuthorized, match="user"):
        verify_build_token(KEY, token, audience=AUDIENCE)


@pytest.mark.parametrize("ref", ["a/b", "..", ".a", "a b", "a?", "a%2F", "ä", "a" * 201, "a\n"])
def test_a_version_that_could_lead_elsewhere_is_refused(ref: str) -> None:
    with pytest.raises(InvalidSpec, match="version"):
        sign_build_token(KEY, BuildClaims(AUDIENCE, resolved_ref=ref), now=time.time())
    payload = {"aud": AUDIENCE, "exp": time.time() + 60, "ref": ref}
    forged = jwt.encode(payload, _signing_key(KEY), algorithm="HS256")
    with pytest.raises(NotAuthorized, match="version"):
        verify_build_token(KEY, forged, audience=AUDIENCE)


def test_a_token_says_nothing_of_a_version_that_its_audience_names() -> None:
    payload = jwt.decode(token_from(0), options={"verify_signature": False})
    assert "ref" not in payload, "members of before would not know what it is"
