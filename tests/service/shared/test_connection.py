"""The connection to a real server: password, TLS, deadlines, refusals."""

import asyncio
import datetime
import ipaddress
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import CollectorRegistry

from binder_federation.config.federation import RedisSettings
from binder_federation.federation.shared.connection import (
    RedisConnection,
    RedisUnavailable,
    open_connection,
)
from binder_federation.runtime.tasks import BackgroundTasks
from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.redis_fixtures import fresh
from tests.support.redis_servers import (
    RedisServer,
    delay_proxy,
    running_server,
    server_binaries,
)


@asynccontextmanager
async def connected(
    settings: RedisSettings, registry: CollectorRegistry | None = None
) -> AsyncIterator[RedisConnection]:
    tasks = BackgroundTasks()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(tasks.aclose)
        connection = await stack.enter_async_context(
            open_connection(settings, tasks=tasks, registry=registry or CollectorRegistry())
        )
        yield connection


async def is_answering(settings: RedisSettings) -> bool:
    async with connected(settings) as connection:
        try:
            return bool(await connection.call("test", lambda client: client.ping()))
        except RedisUnavailable:
            return False


async def test_a_password_is_used() -> None:
    valkey = server_binaries()["valkey"]
    assert valkey is not None
    with running_server(valkey, "--requirepass", "s3cret word") as server:
        assert await is_answering(server.settings(password="s3cret word"))
        assert not await is_answering(server.settings(password="another"))
        assert not await is_answering(server.settings())


async def test_tls_is_checked_against_the_given_authority(tmp_path: Path) -> None:
    redis = shutil.which("redis-server")
    if redis is None:
        pytest.skip("no redis-server on this machine; the embedded Valkey has no TLS")
    certificate, key = make_certificate(tmp_path)
    port = free_port()
    with running_server(
        redis,
        *("--tls-port", str(port), "--bind", "127.0.0.1", "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(certificate), "--tls-key-file", str(key)),
    ) as server:
        url = f"rediss://127.0.0.1:{port}"
        assert await is_answering(server.settings(url=url, tls_ca_file=str(certificate)))
        assert not await is_answering(server.settings(url=url)), "an unknown authority was trusted"


async def test_a_refused_command_is_no_outage(redis_server: RedisServer) -> None:
    registry = CollectorRegistry()
    async with connected(fresh(redis_server), registry) as connection:
        for _ in range(10):
            with pytest.raises(RedisUnavailable, match="refused"):
                await connection.call("test", lambda client: client.execute_command("NONSENSE"))  # type: ignore[no-untyped-call]
        assert not connection.is_open, "an answer, though a refusal, must not open the breaker"
        failed = registry.get_sample_value(
            "binderfed_redis_commands_failed_total", {"kind": "test"}
        )
        assert failed == 10


async def test_the_breaker_opens_and_closes_and_tells(redis_server: RedisServer) -> None:
    registry = CollectorRegistry()

    def state(name: str) -> float | None:
        return registry.get_sample_value("binderfed_redis_breaker_state", {"state": name})

    async with delay_proxy(redis_server) as proxy:
        settings = fresh(redis_server, url=proxy.url, deadline_seconds=0.025)
        async with connected(settings, registry) as connection:
            assert (state("closed"), state("open")) == (1, 0)
            proxy.delay_seconds = 3600.0
            async with asyncio.timeout(20):
                while not connection.is_open:
                    with pytest.raises(RedisUnavailable):
                        await connection.call("test", lambda client: client.ping())
            assert state("closed") == 0, "the metric must say that the breaker is not closed"
            proxy.delay_seconds = 0.0
            proxy.cut()

            async def is_closed() -> bool:
                return not connection.is_open and state("closed") == 1

            await eventually(is_closed, what="the breaker to close when Redis answers again")


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "redis of a test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "redis.crt", folder / "redis.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file
