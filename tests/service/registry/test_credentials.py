"""Credentials of each kind: from a file, from Google, from AWS; kept, renewed, missing."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from binder_federation.cluster_agent.registry.credentials.base import (
    Credentials,
    RegistryLogin,
)
from binder_federation.cluster_agent.registry.credentials.choose import choose_credentials
from binder_federation.cluster_agent.registry.errors import RegistryDenied, RegistryUnavailable
from binder_federation.config.registry import RegistrySettings
from tests.support.cloud_identity import FakeEcr, FakeMetadata
from tests.support.fake_registry import PASSWORD, USERNAME, FakeRegistry
from tests.support.ports import free_port
from tests.support.registry_clients import Clock, make_client
from tests.support.registry_contract import soon

REPOSITORY = "registry.example.org/binder/images"
ECR_REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/binder"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def metadata() -> AsyncIterator[FakeMetadata]:
    async with FakeMetadata() as made:
        yield made


@pytest.fixture
async def ecr(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeEcr]:
    """ECR's API, and the only AWS credentials that this process can find."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-example")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    async with FakeEcr(expires_at=clock.now + 43_200) as made:
        yield made


def choose(http: httpx.AsyncClient, clock: Clock, **settings: Any) -> Credentials:
    chosen = RegistrySettings(**{"repository": REPOSITORY, **settings})
    return choose_credentials(chosen, client=http, clock=clock)


async def fetched(credentials: Credentials) -> RegistryLogin:
    login = await credentials.fetch()
    assert login is not None
    return login


async def test_none_and_static(http: httpx.AsyncClient, clock: Clock) -> None:
    assert await choose(http, clock).fetch() is None
    given = choose(http, clock, credentials="static", username="u", password="p")
    assert await given.fetch() == RegistryLogin("u", "p")


class TestDockerConfig:
    """A file, such as a mounted Secret."""

    def credentials(self, http: httpx.AsyncClient, path: Path) -> Credentials:
        return choose(http, Clock(), credentials="static", docker_config_file=path)

    def write(self, path: Path, host: str, password: str) -> None:
        auth = base64.b64encode(f"member:{password}".encode()).decode()
        path.write_text(json.dumps({"auths": {host: {"auth": auth}}}))

    async def test_it_is_read_again_when_it_changes(
        self, http: httpx.AsyncClient, tmp_path: Path
    ) -> None:
        path = tmp_path / "config.json"
        self.write(path, "registry.example.org", "first")
        credentials = self.credentials(http, path)
        assert (await fetched(credentials)).password == "first"
        fresh = tmp_path / "fresh.json"
        self.write(fresh, "registry.example.org", "other")
        fresh.replace(path)
        assert (await fetched(credentials)).password == "other"

    async def test_a_registry_that_it_does_not_name(
        self, http: httpx.AsyncClient, tmp_path: Path
    ) -> None:
        path = tmp_path / "config.json"
        self.write(path, "other.example.org", "p")
        with pytest.raises(RegistryDenied, match=r"registry\.example\.org") as caught:
            await self.credentials(http, path).fetch()
        assert str(path) in caught.value.advice

    @pytest.mark.parametrize("text", [None, "no json", '{"auths": 3}', "\udcff"])
    async def test_a_broken_one(
        self, http: httpx.AsyncClient, tmp_path: Path, text: str | None
    ) -> None:
        path = tmp_path / "config.json"
        if text is not None:
            path.write_bytes(text.encode(errors="surrogateescape"))
        credentials = self.credentials(http, path)
        with pytest.raises(RegistryDenied, match="cannot be read"):
            await credentials.fetch()
        self.write(path, "registry.example.org", "mended")
        assert (await fetched(credentials)).password == "mended"


class TestGoogle:
    """A service account's access token."""

    @pytest.fixture
    def credentials(
        self, http: httpx.AsyncClient, clock: Clock, metadata: FakeMetadata
    ) -> Credentials:
        return choose(http, clock, credentials="google", google_metadata_url=metadata.url)

    async def test_the_token_is_the_password(
        self, credentials: Credentials, clock: Clock, metadata: FakeMetadata
    ) -> None:
        login = await fetched(credentials)
        assert login == RegistryLogin("oauth2accesstoken", "correct-password", clock.now + 3600)

    async def test_it_is_kept_until_near_its_end(
        self, credentials: Credentials, clock: Clock, metadata: FakeMetadata
    ) -> None:
        await asyncio.gather(*(credentials.fetch() for _ in range(8)))
        clock.now += 3300
        await credentials.fetch()
        assert metadata.calls == 1
        clock.now += 100
        metadata.access_token = "next-password"
        assert (await fetched(credentials)).password == "next-password"
        assert metadata.calls == 2

    async def test_an_old_one_serves_while_there_is_no_new_one(
        self, credentials: Credentials, clock: Clock, metadata: FakeMetadata
    ) -> None:
        await credentials.fetch()
        clock.now += 3500
        metadata.answer_next(503)
        assert (await fetched(credentials)).password == "correct-password"
        clock.now += 101
        metadata.answer_next(503)
        with pytest.raises(RegistryUnavailable, match="503"):
            await credentials.fetch()

    @pytest.mark.parametrize("text", ["", "<html>", "{}", '{"access_token": "", "expires_in": 5}'])
    async def test_nonsense(
        self, credentials: Credentials, metadata: FakeMetadata, text: str
    ) -> None:
        metadata.answer_next(200, text)
        with pytest.raises(RegistryUnavailable, match="cannot be understood"):
            await credentials.fetch()

    async def test_a_machine_without_an_account(
        self, credentials: Credentials, metadata: FakeMetadata
    ) -> None:
        metadata.answer_next(404)
        with pytest.raises(RegistryDenied, match="no Google service account"):
            await credentials.fetch()

    async def test_a_machine_elsewhere(self, http: httpx.AsyncClient, clock: Clock) -> None:
        nowhere = f"http://127.0.0.1:{free_port()}"
        credentials = choose(http, clock, credentials="google", google_metadata_url=nowhere)
        with pytest.raises(RegistryUnavailable, match="does not answer") as caught:
            await credentials.fetch()
        assert "static" in caught.value.advice

    async def test_a_registry_that_takes_it(
        self, http: httpx.AsyncClient, clock: Clock, metadata: FakeMetadata
    ) -> None:
        async with FakeRegistry(auth="token", username="oauth2accesstoken") as registry:
            settings: dict[str, Any] = {
                "credentials": "google",
                "username": "",
                "password": None,
                "google_metadata_url": metadata.url,
            }
            client = make_client(registry, http, clock=clock, **settings)
            metadata.answer_next(500)  # the connection tries again
            assert await client.list_tags(deadline=soon()) == []
            login = await client.fetch_login(deadline=soon())
            assert login is not None
            assert login.username == "oauth2accesstoken"


class TestEcr:
    """A password from AWS's API."""

    @pytest.fixture
    def credentials(self, http: httpx.AsyncClient, clock: Clock, ecr: FakeEcr) -> Credentials:
        return choose(
            http,
            clock,
            repository=ECR_REPOSITORY,
            credentials="ecr",
            ecr_endpoint_url=ecr.url,
            request_timeout_seconds=5,
        )

    async def test_the_request_is_signed_for_the_registrys_region(
        self, credentials: Credentials, clock: Clock, ecr: FakeEcr
    ) -> None:
        login = await fetched(credentials)
        assert login == RegistryLogin("AWS", "correct-password", clock.now + 43_200)
        assert ecr.signed == [{"key": "AKIDEXAMPLE", "region": "eu-west-1"}]

    async def test_it_is_kept_for_most_of_its_twelve_hours(
        self, credentials: Credentials, clock: Clock, ecr: FakeEcr
    ) -> None:
        for seconds, calls in [(0, 1), (41_000, 1), (500, 2)]:
            clock.now += seconds
            await credentials.fetch()
            assert ecr.calls == calls

    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [
            (400, "AccessDeniedException", RegistryDenied),
            (400, "UnrecognizedClientException", RegistryDenied),
            (400, "ThrottlingException", RegistryUnavailable),
            (500, "ServerException", RegistryUnavailable),
        ],
    )
    async def test_refusals(
        self,
        credentials: Credentials,
        ecr: FakeEcr,
        status: int,
        code: str,
        kind: type[Exception],
    ) -> None:
        ecr.refuse_next(status, code)
        with pytest.raises(kind, match="AWS"):
            await credentials.fetch()
        assert ecr.calls == 1, "the connection tries again, nobody else"

    @pytest.mark.parametrize("text", ["{}", '{"authorizationData": []}'])
    async def test_nonsense(self, credentials: Credentials, ecr: FakeEcr, text: str) -> None:
        ecr.answer_next(200, text)
        with pytest.raises(RegistryUnavailable, match="cannot be understood"):
            await credentials.fetch()

    async def test_nobody_to_be(
        self, credentials: Credentials, ecr: FakeEcr, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        with pytest.raises(RegistryDenied, match="no AWS credentials") as caught:
            await credentials.fetch()
        assert "PowerUser" in caught.value.advice

    async def test_an_api_that_is_gone(
        self, http: httpx.AsyncClient, clock: Clock, ecr: FakeEcr
    ) -> None:
        credentials = choose(
            http,
            clock,
            repository=ECR_REPOSITORY,
            credentials="ecr",
            ecr_endpoint_url=f"http://127.0.0.1:{free_port()}",
        )
        with pytest.raises(RegistryUnavailable, match="does not answer"):
            await credentials.fetch()


async def test_a_login_for_tools(http: httpx.AsyncClient) -> None:
    async with FakeRegistry(auth="basic") as registry:
        login = await make_client(registry, http).fetch_login(deadline=soon())
        assert login == RegistryLogin(USERNAME, PASSWORD)
    async with FakeRegistry() as registry:
        assert await make_client(registry, http).fetch_login(deadline=soon()) is None
