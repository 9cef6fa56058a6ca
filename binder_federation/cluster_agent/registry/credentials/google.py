"""Google Artifact Registry: the access token of the machine's service account.

The metadata server of a Compute Engine machine, or GKE's for Workload Identity,
gives it to whoever asks from there; it lasts up to an hour.
https://cloud.google.com/artifact-registry/docs/docker/authentication#token
https://cloud.google.com/compute/docs/access/authenticate-workloads#applications
"""

from collections.abc import Callable

import httpx
from pydantic import BaseModel, Field, ValidationError

from binder_federation.cluster_agent.registry.credentials.base import RegistryLogin
from binder_federation.cluster_agent.registry.errors import RegistryDenied, RegistryUnavailable

TOKEN_PATH = "/computeMetadata/v1/instance/service-accounts/default/token"  # noqa: S105 - a path
USERNAME = "oauth2accesstoken"
RENEW_BEFORE_SECONDS = 225.0
"""The metadata server itself hands out a new token about four minutes before the end."""


class _AccessToken(BaseModel):
    access_token: str = Field(min_length=1, repr=False)
    expires_in: float


class GoogleCredentials:
    """Asks the metadata server at `metadata_url`, each time."""

    def __init__(
        self,
        *,
        client: httpx.AsyncClient,
        metadata_url: str,
        timeout_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._client = client
        self._url = f"{metadata_url}{TOKEN_PATH}"
        self._timeout_seconds = timeout_seconds
        self._clock = clock

    async def fetch(self) -> RegistryLogin | None:
        """A login with the service account's access token."""
        token = _read(await self._ask())
        return RegistryLogin(USERNAME, token.access_token, self._clock() + token.expires_in)

    async def _ask(self) -> httpx.Response:
        try:
            response = await self._client.get(
                self._url,
                headers={"Metadata-Flavor": "Google"},
                timeout=self._timeout_seconds,
                follow_redirects=False,
            )
        except httpx.HTTPError as error:
            raise RegistryUnavailable(
                "Google's metadata server does not answer.",
                advice="`credentials: google` works on Google's machines and in GKE; elsewhere "
                "use `static` with a service account's key.",
            ) from error
        if response.status_code in (403, 404):
            raise RegistryDenied(
                "This machine has no Google service account that gives it access tokens.",
                advice="Attach a service account with the role Artifact Registry Repository "
                "Administrator, or set up Workload Identity.",
            )
        if response.status_code != 200:
            raise RegistryUnavailable(
                f"Google's metadata server answered with status {response.status_code}."
            )
        return response


def _read(response: httpx.Response) -> _AccessToken:
    try:
        return _AccessToken.model_validate_json(response.content)
    except ValidationError:
        # Without its cause, which could quote the token.
        raise RegistryUnavailable(
            "Google's metadata server gave an answer that cannot be understood."
        ) from None
