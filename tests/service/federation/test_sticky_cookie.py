"""Redirect mode's cookie: who launches a link again comes back to the same member."""

from http.cookies import SimpleCookie

import httpx
import pytest

from binder_federation.federation.sticky_cookie import NAME
from tests.support.fake_member import CREDENTIAL, FakeMember
from tests.support.federation_server import FederationServer, running_federation

SHA = "1" * 40
STREAM = {"Accept": "text/event-stream"}
REDIRECT = {"mode": "redirect"}


def build_path(number: int) -> str:
    return f"/build/gh/owner/repository-{number}/{SHA}"


async def ask(federation: FederationServer, path: str, cookie: str = "") -> httpx.Response:
    headers = {**STREAM, **({"Cookie": cookie} if cookie else {})}
    async with httpx.AsyncClient(base_url=federation.url) as client:  # keeps no cookies of others
        return await client.get(path, headers=headers)


def member_of(answer: httpx.Response, *members: FakeMember) -> str:
    assert answer.status_code == 307, answer.text
    return next(m.name for m in members if answer.headers["Location"].startswith(m.url))


async def test_it_names_the_member_for_four_hours_and_one_link(
    alpha: FakeMember, beta: FakeMember
) -> None:
    async with running_federation([alpha, beta], launch=REDIRECT) as federation:
        answer = await ask(federation, build_path(1))

    cookie = SimpleCookie(answer.headers["Set-Cookie"])[NAME]
    assert cookie.value == member_of(answer, alpha, beta)
    assert cookie["path"] == build_path(1)
    assert cookie["max-age"] == str(4 * 3600)
    assert cookie["samesite"] == "Lax", "over http a browser keeps no other one"


async def test_over_https_it_is_for_pages_elsewhere_too(
    alpha: FakeMember, beta: FakeMember
) -> None:
    public = "https://binder.example/hub"
    async with running_federation([alpha, beta], launch=REDIRECT, public_url=public) as federation:
        cookie = (await ask(federation, build_path(1))).headers["Set-Cookie"]

    assert "SameSite=None; Secure" in cookie
    assert f"Path=/hub{build_path(1)};" in cookie


async def test_it_brings_a_visitor_back_where_members_are_alike(
    alpha: FakeMember, beta: FakeMember
) -> None:
    """By rank some repositories are alpha's and some beta's; the cookie turns each of them."""
    by_rank = set()
    async with running_federation([alpha, beta], launch=REDIRECT) as federation:
        for number in range(8):
            by_rank.add(member_of(await ask(federation, build_path(number)), alpha, beta))
            for name in ("alpha", "beta"):
                path = build_path(number).replace("repository", f"new-for-{name}")
                answer = await ask(federation, path, f"a=b; {NAME}={name}")
                assert member_of(answer, alpha, beta) == name, path
    assert by_rank == {"alpha", "beta"}, "the ranks must differ for this to show anything"


async def test_it_does_not_bring_anybody_to_a_member_that_must_build(
    alpha: FakeMember, beta: FakeMember
) -> None:
    async with running_federation([alpha, beta], launch=REDIRECT) as federation:
        spec = federation.context.repositories.parse(f"gh/owner/repository-1/{SHA}")
        record = {"key": spec.image_key(SHA), "repository": spec.affinity_key, "size_bytes": 10**9}
        report = {
            "member": "alpha",
            "session": "s",
            "sequence": 0,
            "inventory": "whole",
            "load": {"capacity": 10, "running": 0, "pending": 0, "build_slots": 2, "building": 0},
            "images": [record],
        }
        taken = await federation.client.post(
            "/api/members/alpha/report",
            json=report,
            headers={"Authorization": f"Bearer {CREDENTIAL}"},
        )
        assert taken.status_code == 200, taken.text
        answer = await ask(federation, build_path(1), f"{NAME}=beta")

    assert member_of(answer, alpha, beta) == "alpha", "five seconds are no reason to build"


@pytest.mark.parametrize(
    ("query", "expected"), [("?avoid=beta", "alpha"), ("?prefer=alpha", "alpha"), ("", "beta")]
)
async def test_what_the_address_says_comes_first(
    alpha: FakeMember, beta: FakeMember, query: str, expected: str
) -> None:
    async with running_federation([alpha, beta], launch=REDIRECT) as federation:
        answer = await ask(federation, build_path(1) + query, f"{NAME}=beta")

    assert member_of(answer, alpha, beta) == expected


async def test_a_member_that_is_gone_is_forgotten(alpha: FakeMember, beta: FakeMember) -> None:
    async with running_federation([alpha, beta], launch=REDIRECT) as federation:
        answer = await ask(federation, build_path(1), f"{NAME}=gamma")

    assert SimpleCookie(answer.headers["Set-Cookie"])[NAME].value in ("alpha", "beta")


async def test_none_is_set_where_none_is_needed(alpha: FakeMember, beta: FakeMember) -> None:
    async with running_federation([alpha], launch=REDIRECT) as federation:
        alone = await ask(federation, build_path(1))
    async with running_federation([alpha, beta], launch=REDIRECT) as federation:
        built = await ask(federation, f"{build_path(1)}?build_only=true")
    off = {**REDIRECT, "sticky_hours": 0}
    async with running_federation([alpha, beta], launch=off) as federation:
        switched_off = await ask(federation, build_path(1))

    for answer in (alone, built, switched_off):
        assert answer.status_code == 307
        assert "Set-Cookie" not in answer.headers
