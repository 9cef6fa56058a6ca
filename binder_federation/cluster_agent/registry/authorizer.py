"""How a registry is told who we are: tokens, a password, or nothing at all.

The first request goes without; a 401 says what is wanted (`challenges.py`), and from
then on requests bring it along. A token is for one kind of access and is kept until
shortly before its end; when the registry refuses one earlier, it is fetched anew.
https://distribution.github.io/distribution/spec/auth/token/
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, Field, ValidationError, model_validator

from binder_federation.cluster_agent.registry.challenges import Challenge, read_challenge
from binder_federation.cluster_agent.registry.credentials.base import Credentials
from binder_federation.cluster_agent.registry.errors import RegistryDenied, RegistryUnavailable

DEFAULT_LIFE_SECONDS = 60.0
"""Of a token whose server does not say; the protocol's own default."""
MARGIN_SECONDS = 30.0
CHECK_CREDENTIALS = "Check the registry's credentials in the member's settings."


class Access(StrEnum):
    """What a request does, as a token's scope has it."""

    PULL = "pull"
    PUSH = "pull,push"
    DELETE = "delete"


class _TokenAnswer(BaseModel):
    token: str | None = Field(default=None, repr=False)
    access_token: str | None = Field(default=None, repr=False)
    expires_in: float | None = None

    @property
    def value(self) -> str:
        """Either name is allowed."""
        return self.token or self.access_token or ""

    @model_validator(mode="after")
    def _has_one(self) -> "_TokenAnswer":
        if not self.value:
            raise ValueError("no token")
        return self


@dataclass(frozen=True, slots=True)
class _Token:
    value: str = field(repr=False)
    expires_at: float


class Authorizer:
    """Makes `Authorization` headers for one repository of one registry."""

    def __init__(
        self,
        *,
        name: str,
        api_url: str,
        client: httpx.AsyncClient,
        credentials: Credentials,
        timeout_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._is_in_the_clear = api_url.startswith("http://")
        self._client = client
        self._credentials = credentials
        self._timeout_seconds = timeout_seconds
        self._clock = clock
        self._challenge: Challenge | None = None
        self._scopes: dict[Access, str] = {}
        self._tokens: dict[Access, _Token] = {}
        self._lock = asyncio.Lock()

    async def authorization(self, access: Access) -> str | None:
        """The header's value; None to go without. Raises `RegistryError`."""
        match self._challenge:
            case None:
                return None
            case Challenge(scheme="basic"):
                login = await self._credentials.fetch()
                return login.to_basic() if login else None
            case challenge:
                return f"Bearer {await self._token(challenge, access)}"

    def learn(self, response: httpx.Response, access: Access, refused: str | None) -> None:
        """A request with the header `refused` got this 401. Raises `RegistryDenied` when the
        registry does not say what it wants instead."""
        challenge = read_challenge(response.headers.get_list("WWW-Authenticate"))
        if challenge is None:
            raise RegistryDenied(
                "The registry wants credentials of a kind that is not known here.",
                advice="Check that registry.url is the address of a registry.",
            )
        self._challenge = challenge
        if challenge.scope:
            self._scopes[access] = challenge.scope
        # Others may have had the same refusal, and fetched a new token since.
        kept = self._tokens.get(access)
        if kept is not None and refused == f"Bearer {kept.value}":
            del self._tokens[access]

    async def _token(self, challenge: Challenge, access: Access) -> str:
        async with self._lock:
            kept = self._tokens.get(access)
            if kept is None or kept.expires_at <= self._clock():
                kept = self._tokens[access] = await self._fetch_token(challenge, access)
            return kept.value

    async def _fetch_token(self, challenge: Challenge, access: Access) -> _Token:
        scope = self._scopes.get(access, f"repository:{self._name}:{access}")
        response = await self._ask(challenge, scope)
        if response.status_code in (400, 401, 403, 404):
            raise RegistryDenied(
                f"The registry's token server refuses this member ({response.status_code}).",
                advice=CHECK_CREDENTIALS,
            )
        try:
            answer = _TokenAnswer.model_validate_json(response.content)
        except ValidationError:
            # Without its cause, which could quote the token.
            raise RegistryUnavailable(
                "The registry's token server gave an answer that cannot be understood."
            ) from None
        life = DEFAULT_LIFE_SECONDS if answer.expires_in is None else answer.expires_in
        return _Token(answer.value, self._clock() + life - min(MARGIN_SECONDS, life / 4))

    async def _ask(self, challenge: Challenge, scope: str) -> httpx.Response:
        self._check_realm(challenge.realm)
        login = await self._credentials.fetch()
        try:
            response = await self._client.get(
                httpx.URL(challenge.realm).copy_merge_params(_question(challenge, scope)),
                headers={"Authorization": login.to_basic()} if login else {},
                timeout=self._timeout_seconds,
                follow_redirects=False,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise RegistryUnavailable(
                "The registry's token server does not answer.",
                advice=f"Check that the agent reaches {urlsplit(challenge.realm).netloc}.",
            ) from error
        if response.status_code == 429 or response.status_code >= 500:
            raise RegistryUnavailable(
                f"The registry's token server answered with status {response.status_code}.",
                retry_after_seconds=retry_after(response),
            )
        return response

    def _check_realm(self, realm: str) -> None:
        """Our password goes over the network in the clear only if the registry does too."""
        if realm.startswith("https://") or (self._is_in_the_clear and realm.startswith("http://")):
            return
        raise RegistryDenied(
            "The registry names a token server that is not reached over https.",
            advice="Its operator must set an https:// address as the token realm.",
        )


def _question(challenge: Challenge, scope: str) -> dict[str, str]:
    return {"scope": scope, **({"service": challenge.service} if challenge.service else {})}


def retry_after(response: httpx.Response) -> float | None:
    """Seconds to wait as the answer has it, when it gives a number."""
    given = response.headers.get("Retry-After", "").strip()
    return float(given) if given.isdecimal() else None
