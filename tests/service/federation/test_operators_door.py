"""The operator's door: a token always, and nothing that a web page could send."""

import asyncio
import os
import stat
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.eventually import eventually
from tests.support.fake_member import FakeMember
from tests.support.federation_server import ADMIN_TOKEN, FederationServer, running_federation
from tests.support.ports import free_port

BEARER = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
ORDERS: list[tuple[str, str, dict[str, Any] | None]] = [
    ("GET", "steering", None),
    ("GET", "audit", None),
    ("GET", "explain/gh/owner/repository/HEAD", None),
    ("POST", "invitations", {"name": "evil"}),
    ("POST", "members/alpha/revoke", {"reason": "x"}),
    ("POST", "members/alpha/rotate", {"reason": "x"}),
    ("PUT", "members/alpha/weight", {"weight": 1}),
    ("PUT", "members/alpha/drain", {"reason": "x"}),
    ("POST", "bans", {"spec": "gh/.*", "reason": "x"}),
    ("POST", "quotas", {"pattern": "gh/x", "sessions": 1, "reason": "x"}),
]


async def statuses(federation: FederationServer, headers: dict[str, str], **more: Any) -> set[int]:
    found = set()
    async with httpx.AsyncClient(base_url=federation.url) as client:
        for method, path, body in ORDERS:
            given = more or ({"json": body} if body is not None else {})
            url = f"/api/admin/{path}"
            answer = await client.request(method, url, headers=headers, **given)
            found.add(answer.status_code)
    return found


async def test_nobody_is_an_operator_without_a_token(federation: FederationServer) -> None:
    """This machine neither: any page that is open on it sends requests from here."""
    assert await statuses(federation, {}) == {403}
    assert await statuses(federation, {"Authorization": "Bearer x"}) == {403}


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
    ids=lambda headers: str(headers),
)
async def test_no_other_site_gives_orders(
    federation: FederationServer, headers: dict[str, str]
) -> None:
    assert await statuses(federation, {**BEARER, **headers}) == {403}


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "x.y:99999",
        "evil.local",
        "xn--",
    ],
)
async def test_a_name_that_was_made_to_lead_here_is_none_of_ours(
    federation: FederationServer, host: str
) -> None:
    assert await statuses(federation, {**BEARER, "Host": host}) == {421}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]:80", "federation", "b.ns.svc"])
async def test_our_names_are_known(federation: FederationServer, host: str) -> None:
    answer = await federation.client.get("/api/admin/steering", headers={"Host": host})
    assert answer.status_code == 200


async def test_names_of_the_settings_are_known(alpha: FakeMember) -> None:
    async with running_federation(
        [alpha],
        public_url="https://binder.example.org",
        admin={"token": ADMIN_TOKEN, "hosts": ["admin.example.org"]},
    ) as federation:
        for host, status in (
            ("binder.example.org", 200),
            ("admin.example.org:8443", 200),
            ("other.example.org", 421),
        ):
            headers = {**BEARER, "Host": host}
            answer = await federation.client.get("/api/admin/steering", headers=headers)
            assert answer.status_code == status, host


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
async def test_a_body_is_json(federation: FederationServer, content_type: str) -> None:
    """What a page may send to another site without asking is none of these."""
    headers = {**BEARER, **({"Content-Type": content_type} if content_type else {})}
    for method, path, body in ORDERS:
        if body is not None:
            answer = await federation.client.request(
                method, f"/api/admin/{path}", headers=headers, content=b"{}"
            )
            assert answer.status_code == 415, (method, path)


async def test_a_federation_without_a_token_makes_one_for_this_user(tmp_path: Path) -> None:
    port = free_port()
    settings = tmp_path / "federation.yaml"
    settings.write_text(yaml.safe_dump({"port": port, "members": []}))
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    environment.pop("BINDERFED_ADMIN_TOKEN", None)
    command = [sys.executable, "-m", "binder_federation.federation.cli.main"]
    server = await asyncio.create_subprocess_exec(
        *command,
        "serve",
        "--config",
        str(settings),
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=url) as client:

            async def is_up() -> bool:
                try:
                    return (await client.get("/versions")).status_code == 200
                except httpx.HTTPError:
                    return False

            await eventually(is_up, what="the federation to serve")
            file = tmp_path / "state" / "binderfed" / f"admin-token-{port}"
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
            token = file.read_text().strip()
            assert len(token) > 30
            assert (await client.get("/api/admin/steering")).status_code == 403
        invite = await asyncio.create_subprocess_exec(
            *command, "invite", "--name", "uni-x", "--federation", url,
            env=environment, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        told, _ = await invite.communicate()
        assert invite.returncode == 0
        assert b"bfi_" in told
    finally:
        server.terminate()
        _, logged = await server.communicate()
    assert token.encode() not in logged
