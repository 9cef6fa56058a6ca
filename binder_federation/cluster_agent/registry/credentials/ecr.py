"""Amazon ECR: a password for twelve hours, for whoever AWS takes this machine for.

botocore finds who that is (environment, files, the instance's or the pod's role) and
signs the request; it blocks, so it runs in a thread. Needs the extra `ecr`.
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
"""

import asyncio
import base64
import binascii
import re
from typing import Any

import structlog
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.session import get_session

from binder_federation.cluster_agent.registry.credentials.base import RegistryLogin
from binder_federation.cluster_agent.registry.errors import RegistryDenied, RegistryUnavailable

log = structlog.get_logger(__name__)

RENEW_BEFORE_SECONDS = 1800.0
_HOST = re.compile(r"[0-9]+\.dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.[a-z0-9.-]+")
_PASSING = frozenset({"ServerException", "ThrottlingException", "RequestLimitExceeded"})


class EcrCredentials:
    """Asks ECR's API in the region that is in the registry's host name, each time."""

    def __init__(
        self, *, registry_host: str, endpoint_url: str | None, timeout_seconds: float
    ) -> None:
        self._region = region_in(registry_host)
        self._endpoint_url = endpoint_url
        self._timeout_seconds = timeout_seconds

    async def fetch(self) -> RegistryLogin | None:
        """A login for this account's registries in the region."""
        try:
            return _read(await asyncio.to_thread(self._ask))
        except (NoCredentialsError, PartialCredentialsError) as error:
            raise RegistryDenied(
                "This member has no AWS credentials for its registry.",
                advice="Give the agent's machine or pod a role with the policy "
                "AmazonEC2ContainerRegistryPowerUser.",
            ) from error
        except ClientError as error:
            raise _refusal(error) from error
        except BotoCoreError as error:
            raise RegistryUnavailable("AWS's ECR API does not answer.") from error

    def _ask(self) -> dict[str, Any]:
        # Made anew each time, a few times a day: the chain then sees new credentials.
        client = get_session().create_client(
            "ecr",
            region_name=self._region,
            endpoint_url=self._endpoint_url,
            config=Config(
                connect_timeout=self._timeout_seconds,
                read_timeout=self._timeout_seconds,
                retries={"total_max_attempts": 1},  # the connection tries again
            ),
        )
        try:
            answer: dict[str, Any] = client.get_authorization_token()
            return answer
        finally:
            client.close()


def region_in(registry_host: str) -> str:
    """`eu-west-1` of `<account>.dkr.ecr.eu-west-1.amazonaws.com`; ValueError without one."""
    match = _HOST.fullmatch(registry_host)
    if match is None:
        raise ValueError(f"{registry_host} is not the host of an ECR registry")
    return match[1]


def _read(answer: dict[str, Any]) -> RegistryLogin:
    try:
        [data, *_] = answer["authorizationData"]
        token = base64.b64decode(data["authorizationToken"], validate=True).decode()
        username, _, password = token.partition(":")
        return RegistryLogin(username, password, data["expiresAt"].timestamp())
    except (KeyError, ValueError, TypeError, AttributeError, binascii.Error):
        # Without its cause, which could quote the token.
        raise RegistryUnavailable(
            "AWS's ECR API gave an answer that cannot be understood."
        ) from None


def _refusal(error: ClientError) -> RegistryDenied | RegistryUnavailable:
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    log.warning("ecr_refused", code=code, status=status)
    if status >= 500 or code in _PASSING:
        return RegistryUnavailable("AWS's ECR API has a failure of its own.")
    return RegistryDenied(
        "AWS does not let this member use its registry.",
        advice="Its role must allow ecr:GetAuthorizationToken; "
        "AmazonEC2ContainerRegistryPowerUser has all that is needed.",
    )
