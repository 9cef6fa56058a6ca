"""Which credentials the settings ask for."""

from collections.abc import Callable

import httpx

from binder_federation.cluster_agent.registry.credentials import google
from binder_federation.cluster_agent.registry.credentials.base import (
    CachedCredentials,
    Credentials,
    NoCredentials,
    RegistryLogin,
)
from binder_federation.cluster_agent.registry.credentials.static import (
    DockerConfigCredentials,
    StaticCredentials,
)
from binder_federation.cluster_agent.stacks.base import StackNotReady
from binder_federation.config.registry import RegistrySettings


def choose_credentials(
    settings: RegistrySettings, *, client: httpx.AsyncClient, clock: Callable[[], float]
) -> Credentials:
    """The credentials for the registry of `settings`; `clock` gives seconds since the epoch."""
    match settings.credentials:
        case "none":
            return NoCredentials()
        case "static":
            return _static(settings)
        case "google":
            inner = google.GoogleCredentials(
                client=client,
                metadata_url=settings.google_metadata_url,
                timeout_seconds=settings.request_timeout_seconds,
                clock=clock,
            )
            return CachedCredentials(
                inner=inner, clock=clock, margin_seconds=google.RENEW_BEFORE_SECONDS
            )
        case "ecr":
            return _ecr(settings, clock)


def _static(settings: RegistrySettings) -> Credentials:
    if settings.docker_config_file is not None:
        return DockerConfigCredentials(
            path=settings.docker_config_file, repository=settings.repository
        )
    password = settings.password.get_secret_value() if settings.password else ""
    return StaticCredentials(login=RegistryLogin(settings.username, password))


def _ecr(settings: RegistrySettings, clock: Callable[[], float]) -> Credentials:
    try:
        from binder_federation.cluster_agent.registry.credentials import ecr
    except ImportError as error:
        raise StackNotReady(
            "Credentials of the kind `ecr` need botocore.",
            advice="Install it: pip install 'binder-federation[ecr]'",
        ) from error
    inner = ecr.EcrCredentials(
        registry_host=settings.host,
        endpoint_url=settings.ecr_endpoint_url,
        timeout_seconds=settings.request_timeout_seconds,
    )
    return CachedCredentials(inner=inner, clock=clock, margin_seconds=ecr.RENEW_BEFORE_SECONDS)
