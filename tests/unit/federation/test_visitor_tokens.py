"""Build tokens of visitors."""

import jwt
import pytest

from binder_federation.binder.build_tokens import BuildClaims, sign_build_token
from binder_federation.binder.errors import NotAuthorized
from binder_federation.binder.spec import LaunchSpec
from binder_federation.federation.visitor_tokens import TokenStanding, VisitorTokens, page_origin

NOW = 1_700_000_000.0
SPEC = LaunchSpec("gh", "owner/name", "feature/x")
OLD, NEW = "an old key of at least thirty-two bytes", "a new key of at least thirty-two bytes"
HOST = "binder.example"
ADDRESS = "192.0.2.7"


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


def tokens(*keys: str, clock: Clock | None = None, **more: bool) -> VisitorTokens:
    return VisitorTokens(
        keys=lambda: keys,
        clock=clock or Clock(),
        lifetime_seconds=300,
        knows_all_keys=more.pop("knows_all_keys", True),
        **more,
    )


def test_a_token_is_good_for_its_spec_origin_and_time() -> None:
    clock = Clock()
    ours = tokens(NEW, clock=clock)
    token = ours.sign(SPEC, HOST, address=ADDRESS)
    assert ours.check(token, SPEC, HOST, address=ADDRESS) is TokenStanding.VALID
    payload = jwt.decode(token, options={"verify_signature": False})
    network = payload.pop("net")
    assert len(network) == 18
    assert ADDRESS not in token
    assert payload == {
        "aud": "gh/owner/name/feature/x",
        "origin": HOST,
        "iat": int(NOW),
        "exp": int(NOW) + 300,
    }
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    clock.now += 331
    assert ours.check(token, SPEC, HOST, address=ADDRESS) is TokenStanding.EXPIRED


@pytest.mark.parametrize(
    ("spec", "origin", "why"),
    [
        (LaunchSpec("gh", "owner/other", "HEAD"), HOST, "another repository"),
        (SPEC, "elsewhere.example", "another site"),
    ],
)
def test_a_token_for_something_else_is_refused(spec: LaunchSpec, origin: str, why: str) -> None:
    ours = tokens(NEW)
    with pytest.raises(NotAuthorized, match=why):
        ours.check(ours.sign(SPEC, HOST, address=ADDRESS), spec, origin, address=ADDRESS)


def test_the_origin_need_not_be_looked_at() -> None:
    ours = tokens(NEW, checks_origin=False)
    assert (
        ours.check(
            ours.sign(SPEC, HOST, address=ADDRESS), SPEC, "elsewhere.example", address=ADDRESS
        )
        is TokenStanding.VALID
    )


def test_keys_rotate() -> None:
    before, between, after = tokens(OLD), tokens(NEW, OLD), tokens(NEW)
    token = before.sign(SPEC, HOST, address=ADDRESS)
    assert between.check(token, SPEC, HOST, address=ADDRESS) is TokenStanding.VALID
    assert (
        after.check(between.sign(SPEC, HOST, address=ADDRESS), SPEC, HOST, address=ADDRESS)
        is TokenStanding.VALID
    )
    with pytest.raises(NotAuthorized, match="not made here"):
        after.check(token, SPEC, HOST, address=ADDRESS)


def test_a_key_that_another_replica_may_have_is_no_reason_to_refuse() -> None:
    token = tokens(OLD).sign(SPEC, HOST, address=ADDRESS)
    assert (
        tokens(NEW, knows_all_keys=False).check(token, SPEC, HOST, address=ADDRESS)
        is TokenStanding.NONE
    )


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "x" * 10_000,
        jwt.encode({"aud": "gh/owner/name/feature/x", "exp": 9e9}, key="", algorithm="none"),
        sign_build_token(NEW, BuildClaims("gh/owner/name/feature/x"), now=NOW),
    ],
)
def test_what_nobody_signed_for_this_use_is_refused(token: str) -> None:
    with pytest.raises(NotAuthorized):
        tokens(NEW).check(token, SPEC, HOST, address=ADDRESS)


@pytest.mark.parametrize(
    ("origin", "host", "expected"),
    [
        ("https://Binder.example:8443", "x", "binder.example:8443"),
        ("", "Binder.example", "binder.example"),
        ("null", "x", ""),
        ("http://[", "x", ""),
    ],
)
def test_the_origin_of_a_page(origin: str, host: str, expected: str) -> None:
    assert page_origin(origin, host) == expected


@pytest.mark.parametrize(
    ("address", "standing"),
    [
        ("2001:db8:0:1::2", TokenStanding.VALID),
        ("2001:db8:0:2::1", TokenStanding.ELSEWHERE),
        ("192.0.2.7", TokenStanding.ELSEWHERE),
        ("", TokenStanding.ELSEWHERE),
    ],
)
def test_a_token_is_its_visitors(address: str, standing: TokenStanding) -> None:
    """Of IPv6 the /64 counts, as in the rate limit."""
    ours = tokens(NEW)
    token = ours.sign(SPEC, HOST, address="2001:db8:0:1::1")
    assert ours.check(token, SPEC, HOST, address=address) is standing
