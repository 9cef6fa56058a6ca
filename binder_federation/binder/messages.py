"""What an agent tells the federation, and what it is told in return.

An agent posts a `Report` every few seconds. Its images are sent whole when the
federation asks for that (it does after it started anew) and as changes otherwise. The
answer brings the federation's bans when they are not those that the agent has.
"""

import hashlib
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from binder_federation.runtime.bounded import (
    MOST_SESSIONS,
    ByteCount,
    CleanText,
    Count,
    Duration,
    Epoch,
    PlainText,
    Sequence,
)

PROTOCOL_VERSION = 1
MOST_REPORT_BYTES = 4 << 20
MOST_IMAGES = 10_000
"""In one report. A member with more of them tells of those that were used last."""
MOST_CHECKS = 50
MOST_REPOSITORIES = 1000

Repository = Annotated[PlainText, Field(max_length=2048)]
"""An affinity key."""
ImageKeyText = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class Tier(StrEnum):
    """How near to a running server a member's copy of an image is, nearest first."""

    NODE = "node"
    """On a machine that starts servers: nothing to fetch."""
    REGISTRY = "registry"
    """In the member's registry: a pull away."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ImageRecord(_Message):
    """One image that a member holds."""

    key: ImageKeyText
    repository: Repository
    """The affinity key of the repository it was made from."""
    tier: Tier = Tier.NODE
    size_bytes: ByteCount = 0
    nodes: Count = 0
    """On how many of its machines, as far as the member knows."""
    last_used: Epoch = 0.0
    """When it was last launched there, to the hour (an image in use is not news each time);
    seconds since the epoch, 0 if that is not known."""


class LoadRecord(_Message):
    """How busy a member is. A launch in flight counts as pending."""

    capacity: Count
    """Sessions that fit; 0 means none now."""
    running: Count = 0
    pending: Count = 0
    build_slots: Count = 0
    building: Count = 0
    can_build: bool = True
    """Builds stop before launches do, where disk or room runs out."""
    warm: Count = 0
    """Servers that wait for visitors. They have places beside those that run or are pending, and
    give way to launches: a member is as full as without them."""


class WarmRecord(_Message):
    """Servers of one image that wait for whoever launches it next."""

    key: ImageKeyText
    servers: Annotated[int, Field(ge=1, le=MOST_SESSIONS)]


class CheckRecord(_Message):
    """One check of a service, in the shape of BinderHub's /health."""

    service: Annotated[CleanText, Field(max_length=100)]
    ok: bool
    message: Annotated[CleanText, Field(max_length=500)] = ""


class EstimateRecord(_Message):
    """Seconds that a member takes, from its own experience; None while it has none."""

    spawn_seconds: Duration | None = None
    build_seconds: Duration | None = None


class SpecBanRecord(_Message):
    """Repositories that nobody may launch (`binder/bans.py`)."""

    pattern: str
    message: str = ""


class MemberPolicy(_Message):
    """The federation's bans, which members check too."""

    digest: str = ""
    """Names these bans; empty when there are none."""
    banned_networks: dict[str, str] = Field(default_factory=dict)
    """Network → label."""
    banned_specs: tuple[SpecBanRecord, ...] = ()
    allowed_specs: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    def with_digest(self) -> "MemberPolicy":
        """The same, with the digest that its bans have."""
        bare = self.model_copy(update={"digest": ""})
        if bare == MemberPolicy():
            return bare
        text = bare.model_dump_json()
        digest = hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
        return bare.model_copy(update={"digest": digest})


class Report(_Message):
    """What a member says about itself."""

    protocol: Annotated[int, Field(ge=0, le=10_000)] = PROTOCOL_VERSION
    member: Annotated[PlainText, Field(max_length=100)]
    session: Annotated[PlainText, Field(max_length=64)]
    """Another one each time the agent starts, so that a restart is noticed."""
    sequence: Sequence
    load: LoadRecord
    estimates: EstimateRecord = EstimateRecord()
    checks: Annotated[tuple[CheckRecord, ...], Field(max_length=MOST_CHECKS)] = ()
    draining: bool = False
    """Its institution wants no new launches there; those that run stay."""
    warm: Annotated[tuple[WarmRecord, ...], Field(max_length=1000)] = ()
    """All images that servers wait for, in every report."""
    inventory: Literal["whole", "changes"]
    images: Annotated[tuple[ImageRecord, ...], Field(max_length=MOST_IMAGES)] = ()
    """All images (`whole`), or those that are new or changed."""
    removed: Annotated[tuple[ImageKeyText, ...], Field(max_length=MOST_IMAGES)] = ()
    """Keys of images that are gone (`changes` only)."""
    repositories: Annotated[dict[Repository, Count], Field(max_length=MOST_REPOSITORIES)] = Field(
        default_factory=dict
    )
    """Affinity key → sessions that run or start, of the repositories that have most."""
    policy_digest: Annotated[PlainText | None, Field(max_length=64)] = None
    """The bans that the agent has; None from one that knows of none."""


class CredentialRecord(_Message):
    """A member's next credential. The agent keeps it before it signs with it, and goes on taking
    build tokens that are signed with the one of before for some minutes."""

    generation: Annotated[int, Field(ge=1, le=2**31)]
    secret: SecretStr

    def to_body(self) -> dict[str, object]:
        """For the answer, and only there: in clear."""
        return {"generation": self.generation, "secret": self.secret.get_secret_value()}


class ReportReply(_Message):
    """The federation's answer to a report."""

    send_whole_inventory: bool = False
    policy: MemberPolicy | None = None
    """The federation's bans, when the report's digest is another one."""
    credential: CredentialRecord | None = None
    """The member's next credential, told only in answer to a signed report."""
