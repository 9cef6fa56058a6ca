"""Settings of pre-building: images that are made before anybody launches them."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from binder_federation.config.providers import Seconds, Section

LEAST_TOKEN = 16


def _token(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < LEAST_TOKEN:
        raise ValueError(f"must be a random text of at least {LEAST_TOKEN} characters")
    return value


class BuilderSettings(Section):
    """Somebody who may have images made at any member, such as a repository's CI."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
    """Tells in the log who asked."""
    token: Annotated[SecretStr, AfterValidator(_token)]
    """Sent as `Authorization: Bearer …`."""


class PrebuildSettings(Section):
    """`POST /api/builds`, for the admin's token and for these."""

    tokens: tuple[BuilderSettings, ...] = ()
    anonymous: bool = True
    """Whether anybody may have an image made at one member, as a launch would. The rate limit of
    launches holds for that."""
    most_at_once: Annotated[int, Field(ge=1)] = 20
    """Members that this replica has make an image at the same time; further ones wait."""
    most_under_way: Annotated[int, Field(ge=1)] = 200
    """Pre-builds that have not ended; further ones are refused."""
    kept_seconds: Seconds = 3600.0
    """How one ended can be asked for so long."""
