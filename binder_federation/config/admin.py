"""Settings of the admin API: who may steer the federation, and what each of them may do."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from binder_federation.config.credentials import Credential
from binder_federation.config.providers import Section
from binder_federation.config.resources import Moment

FULL_NAME = "admin"
"""Who has `admin.token`."""


HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]


class Scope(StrEnum):
    """One kind of thing that a token allows."""

    READ = "read"
    """See the orders in force."""
    MEMBERS = "members"
    """Weights, ramps, drains, rotating and revoking a member's credential."""
    POLICY = "policy"
    """Bans and quotas."""
    INVITE = "invite"
    """Invite members, and take invitations back."""
    PREPARE = "prepare"
    """Have images made at members that it names."""
    EXPLAIN = "explain"
    """Ask where a launch would go."""
    AUDIT = "audit"
    """Read who did what."""


class AdminToken(Section):
    """A token with a name, for one person or one program."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}$")]
    """Who acts, in the audit log."""
    token: Credential | None = None
    """The token itself, or else `token_sha256`."""
    token_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Its SHA-256 in hexadecimal digits: the settings need not hold the token."""
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    expires: Moment | None = None
    """The token is refused from then on."""

    @model_validator(mode="after")
    def _has_one_secret(self) -> Self:
        if (self.token is None) == (self.token_sha256 is None):
            raise ValueError("give either token or token_sha256")
        return self


class AdminSettings(Section):
    """Who may use `/api/admin`."""

    token: Credential | None = None
    """Sent as `Authorization: Bearer …`; it may do everything. Without any token `binderfed serve`
    makes one at its first start, in a file that the command reads on the same machine."""
    tokens: tuple[AdminToken, ...] = ()
    """Further tokens, each with a name and what it may do (docs/steering.md)."""
    hosts: Annotated[tuple[HostName, ...], Field(max_length=50)] = ()
    """Further names under which the admin API is asked, beside that of `public_url`, addresses,
    `localhost`, and names that only a cluster's DNS knows."""

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [each.name for each in self.tokens]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"tokens: the name {twice[0]!r} is used twice")
        if FULL_NAME in names:
            raise ValueError(f"tokens: the name {FULL_NAME!r} belongs to admin.token")
        return self
