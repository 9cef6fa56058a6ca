"""Secrets that somebody chose: long enough that nobody guesses them."""

from typing import Annotated

from pydantic import AfterValidator, SecretStr

LEAST_CREDENTIAL = 16


def _credential(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < LEAST_CREDENTIAL:
        raise ValueError(f"must be a random text of at least {LEAST_CREDENTIAL} characters")
    return value


Credential = Annotated[SecretStr, AfterValidator(_credential)]
