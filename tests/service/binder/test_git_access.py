"""Strangers' URLs do not reach our own network, by whatever way around."""

import asyncio
import ipaddress
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from binder_federation.binder.errors import (
    InvalidSpec,
    ProviderUnavailable,
    RepositoryNotFound,
    SpecBanned,
)
from binder_federation.binder.providers import make_git_access
from binder_federation.binder.providers.addresses import Address, AddressGuard, is_public
from binder_federation.binder.providers.base import GitSource
from binder_federation.binder.providers.git_access import GitAccess
from binder_federation.binder.providers.git_commands import GitResult, run_git
from binder_federation.config.providers import ProviderSettings
from tests.support.git_repositories import make_repository
from tests.support.git_server import GitServer

LOOPBACK = ipaddress.ip_address("127.0.0.1")


def access_where(
    client: httpx.AsyncClient, names: dict[str, list[str]], **settings: object
) -> GitAccess:
    """Rules under which loopback counts as public, and names have these addresses."""

    async def look_up(host: str) -> Sequence[Address]:
        return [ipaddress.ip_address(address) for address in names[host]]

    return GitAccess(
        settings=ProviderSettings.model_validate({"timeout_seconds": 5, **settings}),
        client=client,
        guard=AddressGuard(
            timeout_seconds=5, rule=lambda it: it == LOOPBACK or is_public(it), look_up=look_up
        ),
    )


async def list_refs(source: GitSource) -> GitResult:
    arguments = ["ls-remote", "--", source.url, "HEAD"]
    return await run_git(arguments, source=source, deadline_seconds=10)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "localhost", "localhost.", "169.254.169.254", "0.0.0.0"]
)
@pytest.mark.parametrize("protocol", ["http", "https", "git", "ssh"])
async def test_our_own_network_is_banned(
    client: httpx.AsyncClient, protocol: str, host: str
) -> None:
    access = make_git_access(ProviderSettings(), client)
    with pytest.raises(SpecBanned, match="public internet"):
        await access.source_for_url(f"{protocol}://{host}/a")


async def test_the_scp_form_is_under_the_same_rule(client: httpx.AsyncClient) -> None:
    with pytest.raises(SpecBanned, match="public internet"):
        await make_git_access(ProviderSettings(), client).source_for_url("git@127.0.0.1:a")


async def test_a_protocol_that_is_not_allowed(client: httpx.AsyncClient) -> None:
    access = access_where(client, {}, git={"allowed_protocols": ["https"]})
    with pytest.raises(SpecBanned, match="http://") as caught:
        await access.source_for_url("http://example.org/a")
    assert "https" in caught.value.advice


async def test_no_url_is_invalid(client: httpx.AsyncClient) -> None:
    with pytest.raises(InvalidSpec):
        await access_where(client, {}).source_for_url("../relative")


async def test_git_connects_to_the_address_that_was_checked(
    client: httpx.AsyncClient, git_server: GitServer
) -> None:
    repository = git_server.create("a")
    # No resolver knows this name: that git arrives shows that it looks nothing up itself.
    access = access_where(client, {"git.example.test": ["127.0.0.1"]})
    source = await access.source_for_url(f"http://git.example.test:{git_server.port}/a")
    assert source.url == f"http://git.example.test:{git_server.port}/a"
    result = await list_refs(source)
    assert result.output.startswith(repository.head()), result.errors
    hosts = {request.headers["Host"] for request in git_server.requests}
    assert hosts == {f"git.example.test:{git_server.port}"}


async def test_a_git_that_cannot_pin_fetches_nothing(
    client: httpx.AsyncClient,
    git_server: GitServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old_git = tmp_path / "bin" / "git"
    old_git.parent.mkdir()
    old_git.write_text("#!/bin/sh\necho git version 2.34.1\n")
    old_git.chmod(0o755)
    monkeypatch.setenv("PATH", f"{old_git.parent}:{os.environ['PATH']}")
    access = access_where(client, {"git.example.test": ["127.0.0.1"]})
    with pytest.raises(ProviderUnavailable, match="too old"):
        await access.source_for_url(f"http://git.example.test:{git_server.port}/a")


async def test_proxies_are_left_out_where_addresses_are_checked(
    client: httpx.AsyncClient, git_server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    git_server.create("a")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    url = f"{git_server.url}/a"
    assert (await list_refs(await access_where(client, {}).source_for_url(url))).is_ok
    relaxed = access_where(client, {}, allow_private_addresses=True)
    assert (await relaxed.source_for_url(url)).environment["http_proxy"] == "http://127.0.0.1:9/"


async def test_a_redirect_is_followed_and_pinned(
    client: httpx.AsyncClient, git_server: GitServer
) -> None:
    repository = git_server.create("new")
    target = f"http://second.example.test:{git_server.port}"
    git_server.redirect("/old", f"{target}/new")
    names = {"first.example.test": ["127.0.0.1"], "second.example.test": ["127.0.0.1"]}
    source = await access_where(client, names).source_for_url(
        f"http://first.example.test:{git_server.port}/old"
    )
    assert source.url == f"{target}/new"
    assert (await list_refs(source)).output.startswith(repository.head())


@pytest.mark.parametrize(
    "target",
    [
        "http://10.0.0.1/a",
        "http://[::1]/a",
        "http://2130706433/a",
        "file:///etc",
        "git://8.8.8.8/a",
    ],
)
async def test_a_redirect_is_vetted_like_the_link(
    client: httpx.AsyncClient, git_server: GitServer, target: str
) -> None:
    git_server.redirect("/a", target)
    with pytest.raises((SpecBanned, RepositoryNotFound)):
        await access_where(client, {}).source_for_url(f"{git_server.url}/a")


async def test_a_trusted_host_cannot_lend_its_trust(
    client: httpx.AsyncClient, git_server: GitServer, tmp_path: Path
) -> None:
    async with GitServer(tmp_path / "inner") as inner:
        inner.create("a")
        git_server.redirect("/a", f"{inner.url}/a")
        settings = ProviderSettings(trusted_prefixes=(git_server.url,))
        with pytest.raises(SpecBanned):
            await make_git_access(settings, client).source_for_url(f"{git_server.url}/a")
        assert inner.requests == []


async def test_git_itself_follows_no_redirect(
    client: httpx.AsyncClient, git_server: GitServer, tmp_path: Path
) -> None:
    async with GitServer(tmp_path / "inner") as inner:
        inner.create("a")
        git_server.create("a")
        source = await access_where(client, {}).source_for_url(f"{git_server.url}/a")
        git_server.redirect("/a", f"{inner.url}/a")  # only now, after the check
        assert not (await list_refs(source)).is_ok
        assert inner.requests == []


async def test_redirects_without_end(client: httpx.AsyncClient, git_server: GitServer) -> None:
    git_server.redirect("/a", f"{git_server.url}/a")
    with pytest.raises(SpecBanned, match="more than 5 times"):
        await access_where(client, {}).source_for_url(f"{git_server.url}/a")


async def test_a_redirect_to_a_login_page(client: httpx.AsyncClient, git_server: GitServer) -> None:
    git_server.redirect("/a", f"{git_server.url}/login?next=")
    git_server.redirect("/b/info/refs", f"{git_server.url}/login#")
    for name in ("a", "b"):
        with pytest.raises(RepositoryNotFound):
            await access_where(client, {}).source_for_url(f"{git_server.url}/{name}")


async def test_a_host_that_says_nothing(client: httpx.AsyncClient, git_server: GitServer) -> None:
    git_server.hang()
    access = access_where(client, {}, timeout_seconds=0.2)
    with pytest.raises(ProviderUnavailable, match=r"within 0\.2 seconds"):
        await access.source_for_url(f"{git_server.url}/a")


async def test_the_next_address_is_tried(client: httpx.AsyncClient, git_server: GitServer) -> None:
    git_server.redirect("/old", f"{git_server.url}/new")
    # The server does not listen at the first one.
    access = GitAccess(
        settings=ProviderSettings(timeout_seconds=5),
        client=client,
        guard=AddressGuard(timeout_seconds=5, rule=lambda it: it.is_loopback, look_up=_two),
    )
    source = await access.source_for_url(f"http://two.example.test:{git_server.port}/old")
    assert source.url == f"{git_server.url}/new"


async def _two(_host: str) -> Sequence[Address]:
    return [ipaddress.ip_address("::1"), LOOPBACK]


async def test_the_git_protocol_is_pinned(
    client: httpx.AsyncClient, tmp_path: Path, unused_tcp_port: int
) -> None:
    repository = make_repository(tmp_path / "served" / "a")
    async with git_daemon(tmp_path / "served", unused_tcp_port):
        access = access_where(client, {"git.example.test": ["127.0.0.1"]})
        source = await access.source_for_url(f"git://git.example.test:{unused_tcp_port}/a")
        result = await list_refs(source)
        assert result.output.startswith(repository.head()), result.errors


@asynccontextmanager
async def git_daemon(root: Path, port: int) -> AsyncIterator[None]:
    """A real `git daemon` on loopback."""
    process = await asyncio.create_subprocess_exec(
        "git",
        "daemon",
        "--listen=127.0.0.1",
        f"--port={port}",
        "--reuseaddr",
        "--export-all",
        f"--base-path={root}",
        "--verbose",
        "--log-destination=stderr",
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent"},
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    try:
        line = await asyncio.wait_for(process.stderr.readline(), 10)
        assert b"Ready to rumble" in line, line
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        await process.communicate()


@pytest.fixture
def ssh_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Puts an `ssh` first on the path that notes its arguments and runs the command here."""
    noted = tmp_path / "arguments"
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {noted}\n"
        'for command; do :; done\nexec /bin/sh -c "$command"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return lambda: noted.read_text().splitlines()


async def test_ssh_is_pinned_and_nobody(
    client: httpx.AsyncClient, tmp_path: Path, ssh_arguments: Callable[[], list[str]]
) -> None:
    repository = make_repository(tmp_path / "a")
    access = access_where(client, {"git.example.test": ["127.0.0.1"]})
    for url, user in [
        (f"ssh://git.example.test:2222{tmp_path}/a", "User=git"),
        (f"me@git.example.test:{tmp_path}/a", "me@git.example.test"),
    ]:
        result = await list_refs(await access.source_for_url(url))
        assert result.output.startswith(repository.head()), result.errors
        arguments = ssh_arguments()
        assert {"BatchMode=yes", "HostName=127.0.0.1", "IdentityFile=none", user} <= set(arguments)


async def test_ssh_uses_our_keys_only_where_the_operator_vouches(
    client: httpx.AsyncClient, tmp_path: Path, ssh_arguments: Callable[[], list[str]]
) -> None:
    make_repository(tmp_path / "a")
    prefix = f"git@git.example.test:{tmp_path}/"
    access = access_where(client, {}, trusted_prefixes=[prefix])
    result = await list_refs(await access.source_for_url(f"{prefix}a"))
    assert result.is_ok, result.errors
    assert "IdentityFile=none" not in ssh_arguments()


async def test_the_real_ssh_takes_our_options(
    client: httpx.AsyncClient, unused_tcp_port: int
) -> None:
    # Nobody listens there: had an option been wrong, ssh would say that first.
    access = access_where(client, {"git.example.test": ["127.0.0.1"]})
    result = await list_refs(
        await access.source_for_url(f"ssh://git.example.test:{unused_tcp_port}/a")
    )
    assert "Connection refused" in result.errors
