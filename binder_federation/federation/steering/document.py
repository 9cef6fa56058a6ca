"""The steering document: every live order that is kept, as one value with a revision.

It is never changed in place: whoever changes something makes the next one
(`model_copy(update=…)`, or the small helpers here) and hands it to `Steering.change`. Fields
that this version does not know are kept, so that a replica of an older version that changes
something loses nothing of a newer one's.

Times are seconds since the epoch.
"""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from binder_federation.config.limits import Cidr
from binder_federation.config.policy import QuotaScope
from binder_federation.config.resources import Pattern

Weight = Annotated[float, Field(gt=0)]

Entry = TypeVar("Entry")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class Word(_Part):
    """Who gave an order, when, why, and until when it holds."""

    by: str
    at: float
    reason: str = ""
    until: float | None = None
    """None: until it is taken back."""

    def is_over(self, now: float) -> bool:
        """Whether its time has passed."""
        return self.until is not None and now >= self.until


class WeightOrder(_Part):
    """Another weight for a member. With `begins_at < ends_at` it goes there from `from_weight`."""

    word: Word
    weight: Weight
    over: float | None = None
    """The settings' weight that it replaces; None for a member that the settings do not have."""
    from_weight: Annotated[float, Field(ge=0)] | None = None
    begins_at: float | None = None
    ends_at: float | None = None

    @property
    def is_ramp(self) -> bool:
        """Whether the weight moves with time."""
        return (
            self.from_weight is not None
            and self.begins_at is not None
            and self.ends_at is not None
            and self.begins_at < self.ends_at
        )


class DrainOrder(_Part):
    """No new launches for a member, or launches again though the settings drain it."""

    word: Word
    is_draining: bool
    over: bool = False
    """What the settings said when it was given."""


class MemberOrders(_Part):
    """What operators said about one member."""

    weight: WeightOrder | None = None
    drain: DrainOrder | None = None
    revoked: Word | None = None
    """It is no member any more: its reports are refused."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said."""
        return self.weight is None and self.drain is None and self.revoked is None


class JoinedMember(_Part):
    """A member that came by invitation. Its credential is derived, never kept."""

    name: str
    url: str
    public_url: str = ""
    weight: Weight = 1.0
    """Of the invitation."""
    invited_as: str = ""
    """The invitation's id."""
    joined_at: float
    generation: Annotated[int, Field(ge=1)] = 1
    """Of its credential; it only ever grows, so that an old one is never good again."""
    old_generation_until: float | None = None
    """The credential before this one is taken until then."""
    admitted_at: float | None = None
    """When its checks had passed; None: it gets no launches yet."""
    agent_id: str = ""
    """Of the agent that joined: it may ask for the answer again that it lost."""
    leaving_since: float | None = None
    """When its institution took it out; it is gone when its sessions have ended."""


class Invitation(_Part):
    """Somebody may join, once. The token itself is nowhere kept."""

    id: str
    name: str
    weight: Weight = 1.0
    token_sha256: str
    created_at: float
    expires_at: float
    by: str
    used_at: float | None = None
    revoked_at: float | None = None


class BanOrder(_Part):
    """A network (with `label`) or a repository pattern (with `message`) that gets nothing."""

    id: str
    word: Word
    network: Cidr | None = None
    label: str = ""
    pattern: Pattern | None = None
    message: str = ""


class QuotaOrder(_Part):
    """Sessions of the repositories that match, for an event."""

    id: str
    word: Word
    pattern: Pattern
    sessions: Annotated[int, Field(ge=0)]
    scope: QuotaScope = QuotaScope.EACH
    begins_at: float | None = None
    ends_at: float | None = None


class SteeringDocument(_Part):
    """All of it. `revision` grows by one with each change, 0 is the one of before any."""

    revision: Annotated[int, Field(ge=0)] = 0
    members: dict[str, MemberOrders] = Field(default_factory=dict)
    joined: dict[str, JoinedMember] = Field(default_factory=dict)
    invitations: dict[str, Invitation] = Field(default_factory=dict)
    bans: dict[str, BanOrder] = Field(default_factory=dict)
    quotas: dict[str, QuotaOrder] = Field(default_factory=dict)

    def orders(self, member: str) -> MemberOrders:
        """What is said about `member`; nothing, if nothing is."""
        return self.members.get(member) or MemberOrders()

    def with_orders(self, member: str, **changes: Any) -> "SteeringDocument":
        """The document with other orders for `member`: `weight`, `drain`, `revoked`; None ends
        one."""
        orders = self.orders(member).model_copy(update=changes)
        members = {name: each for name, each in self.members.items() if name != member}
        if not orders.is_empty:
            members[member] = orders
        return self.model_copy(update={"members": members})

    def with_joined(self, member: JoinedMember) -> "SteeringDocument":
        """The document with this member, instead of one of its name."""
        return self.model_copy(update={"joined": {**self.joined, member.name: member}})

    def with_invitation(self, invitation: Invitation) -> "SteeringDocument":
        """The document with this invitation, instead of one of its id."""
        invitations = {**self.invitations, invitation.id: invitation}
        return self.model_copy(update={"invitations": invitations})

    def with_ban(self, ban: BanOrder) -> "SteeringDocument":
        """The document with this ban, instead of one of its id."""
        return self.model_copy(update={"bans": {**self.bans, ban.id: ban}})

    def without_ban(self, ban_id: str) -> "SteeringDocument":
        """The document without that ban."""
        return self.model_copy(update={"bans": _without(self.bans, ban_id)})

    def with_quota(self, quota: QuotaOrder) -> "SteeringDocument":
        """The document with this quota, instead of one of its id."""
        return self.model_copy(update={"quotas": {**self.quotas, quota.id: quota}})

    def without_quota(self, quota_id: str) -> "SteeringDocument":
        """The document without that quota."""
        return self.model_copy(update={"quotas": _without(self.quotas, quota_id)})


def _without(entries: dict[str, Entry], key: str) -> dict[str, Entry]:
    return {name: entry for name, entry in entries.items() if name != key}
