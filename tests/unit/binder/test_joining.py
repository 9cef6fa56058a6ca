"""Messages of joining: tokens are told apart, secrets are in no dump, addresses are addresses."""

import json

import pytest
from pydantic import SecretStr, ValidationError

from binder_federation.binder.joining import (
    InvitationNotValid,
    JoinReply,
    JoinRequest,
    hash_secret,
    make_token,
    split_token,
)

SECRET = "S3cret_of-an-invitation-0123456789"
AGENT = "an-agent-id-0123456789"


def request(url: str = "https://binder.uni-x.example/agent/") -> JoinRequest:
    token = SecretStr(make_token("i1", SECRET))
    return JoinRequest(token=token, agent_id=AGENT, url=url, version="0.6.0", stack="docker")


def test_a_token_is_split_as_it_was_made() -> None:
    assert split_token(f" {make_token('uni-x-1', SECRET)}\n") == ("uni-x-1", SECRET)


@pytest.mark.parametrize(
    "token", ["", "bfi_", "bfi_x", f"i1.{SECRET}", f"bfi_i1{SECRET}", "bfi_i.short"]
)
def test_other_texts_are_no_tokens(token: str) -> None:
    with pytest.raises(InvitationNotValid, match="not an invitation's token"):
        split_token(token)


def test_only_a_body_has_the_secret() -> None:
    asked = request()
    assert SECRET not in repr(asked) + asked.model_dump_json() + str(asked.model_dump())
    assert JoinRequest.model_validate_json(asked.to_body()) == asked
    reply = JoinReply(name="uni-x", credential=SecretStr(SECRET), weight=10)
    assert SECRET not in repr(reply) + reply.model_dump_json()
    assert JoinReply.model_validate_json(json.dumps(reply.to_body())) == reply


@pytest.mark.parametrize(
    "url",
    ["ftp://x", "https://", "https://user:secret@host", "https://h/a?b=c", "//h", "https://h h"],
)
def test_an_address_is_an_address(url: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        request(url)


def test_an_address_has_no_slash_at_its_end() -> None:
    assert request().url == "https://binder.uni-x.example/agent"


def test_a_hash_does_not_show_its_secret() -> None:
    assert SECRET not in hash_secret(SECRET)
    assert hash_secret(SECRET) != hash_secret(SECRET + "x")
