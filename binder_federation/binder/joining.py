"""What an institution's agent and the federation say to each other when it joins.

The federation's operator makes an invitation, whose token `bfi_<id>.<secret>` goes to the
institution. Its agent exchanges it, once, for a credential (`POST /api/join`), begins to
report, and then asks for the checklist that the federation makes of it
(`GET /api/join/checks`). docs/joining-protocol.md tells the whole.

All but the first request are signed with the credential (`report_tokens.py`).
"""

import hashlib
import re
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from binder_federation.binder.errors import NotAuthorized
from binder_federation.binder.messages import PROTOCOL_VERSION
from binder_federation.runtime.bounded import CleanText, read_web_url

JOIN_PATH = "/api/join"
CHECKS_PATH = "/api/join/checks"
"""`GET` tells the checklist, `POST` has it made again."""
LEAVE_PATH = "/api/join/leave"
STREAM_TEST_PATH = "/api/stream-test"
"""At the agent: `STREAM_TEST_EVENTS` events, `STREAM_TEST_PAUSE_SECONDS` apart."""
STREAM_TEST_EVENTS = 5
STREAM_TEST_PAUSE_SECONDS = 0.3
RETRY_SECONDS = 600.0
"""For so long the same agent gets the same answer to a token that it has used already: an answer
that was lost on its way is no lost invitation."""

_TOKEN = re.compile(r"bfi_([A-Za-z0-9-]{1,40})\.([A-Za-z0-9_-]{16,200})", re.ASCII)


class InvitationNotValid(NotAuthorized):
    """The token is unknown, used, expired or taken back."""

    code = "invitation_not_valid"


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


Address = Annotated[str, Field(max_length=500), AfterValidator(read_web_url)]
Text = Annotated[CleanText, Field(max_length=100)]


class JoinRequest(_Message):
    """An agent's wish to become the member that its invitation names."""

    token: Annotated[SecretStr, Field(max_length=300)]
    agent_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
    """Random; the agent makes it before it joins, and keeps it."""
    url: Address
    """Where the federation reaches the agent."""
    public_url: Address | None = None
    """Where visitors' browsers reach it, if that is another address."""
    version: Text = ""
    protocol: int = PROTOCOL_VERSION
    stack: Text = ""

    def to_body(self) -> str:
        """JSON with the token in clear, which no dump or log of this message has."""
        shown = self.model_dump(mode="json", exclude={"token"}, exclude_none=True)
        return _Sent(**shown, token=self.token.get_secret_value()).model_dump_json()


class _Sent(BaseModel):
    model_config = ConfigDict(extra="allow")
    token: str


class JoinReply(_Message):
    """What the agent keeps as its membership."""

    name: str
    """The member's name, which the invitation brought."""
    credential: SecretStr
    federation: str = ""
    """The federation's public URL, as its operator set it."""
    weight: float = 1.0
    generation: Annotated[int, Field(ge=1)] = 1
    """Of the credential; each rotation makes the next one."""
    checks_url: str = CHECKS_PATH

    def to_body(self) -> dict[str, object]:
        """For the answer, and only there: with the credential in clear."""
        shown = self.model_dump(mode="json", exclude={"credential"})
        return {**shown, "credential": self.credential.get_secret_value()}


class JoinState(StrEnum):
    """How far a member is."""

    WAITING = "waiting"
    """Its first report has not come yet."""
    CHECKING = "checking"
    ADMITTED = "admitted"
    """It gets launches."""
    FAILED = "failed"
    """Something is to be mended; the checks are made again by themselves, or when asked for."""


class JoinCheck(_Message):
    """One line of the checklist."""

    name: str
    ok: bool | None = None
    """None while it is not known."""
    message: str = ""
    advice: str = ""
    """What to mend, and how."""


class JoinChecks(_Message):
    """The checklist that the federation makes of a member."""

    state: JoinState
    checks: tuple[JoinCheck, ...] = ()
    next_in_seconds: float | None = None
    """When they are made again by themselves."""


def make_token(invitation_id: str, secret: str) -> str:
    """The text that the operator gives to the institution."""
    return f"bfi_{invitation_id}.{secret}"


def split_token(token: str) -> tuple[str, str]:
    """The invitation's id and the secret; `InvitationNotValid` when this is no such token."""
    match = _TOKEN.fullmatch(token.strip())
    if match is None:
        raise InvitationNotValid(
            "This is not an invitation's token.",
            advice="It begins with bfi_ and has a dot in it; copy all of it.",
        )
    return match[1], match[2]


def hash_secret(secret: str) -> str:
    """What is kept of a token. Its secret is random: it needs no slow hash."""
    return hashlib.sha256(b"binderfed invitation\0" + secret.encode()).hexdigest()
