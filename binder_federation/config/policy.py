"""What an operator allows: bans, quotas, rate limits. From the settings, and live from a file.

The file that `policy_file` names has the same parts as `policy` in the settings; a part that
it names replaces the settings' whole part.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field

from binder_federation.config.limits import Cidr
from binder_federation.config.providers import Seconds, Section
from binder_federation.config.resources import Moment, Pattern


class SpecBan(Section):
    """Repositories that nobody may launch."""

    pattern: Pattern
    """Matches the whole of `<provider>/<repository>` or `<provider>/<repository>/<ref>`, in any
    case."""
    message: Annotated[str, Field(max_length=500)] = ""
    """For visitors, instead of the usual sentence."""


class QuotaScope(StrEnum):
    """What a quota's number is for."""

    EACH = "each"
    """Each repository that matches."""
    SUM = "sum"
    """All repositories that match, together."""


class RepositoryQuota(Section):
    """Sessions of the repositories that match `pattern`, at all members together."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    pattern: Pattern
    """As of a ban; the ref is not looked at."""
    sessions: Annotated[int, Field(ge=0)]
    """0: none now."""
    scope: QuotaScope = QuotaScope.EACH
    begins_at: Annotated[Moment | None, Field(alias="from")] = None
    """The quota holds from then on, for an event."""
    ends_at: Annotated[Moment | None, Field(alias="until")] = None

    @property
    def label(self) -> str:
        """What metrics call it."""
        return self.pattern


class FederationQuotas(Section):
    """How many sessions and builds at once, at all members together."""

    sessions: Annotated[int, Field(ge=0)] | None = None
    """None: as many as the members take. 0 is maintenance."""
    message: Annotated[str, Field(max_length=500)] = ""
    """For visitors, in maintenance."""
    sessions_per_repository: Annotated[int, Field(ge=0)] | None = None
    patterns: tuple[RepositoryQuota, ...] = ()
    """Of those that match, the last one with its scope counts."""
    builds_per_repository: Annotated[int, Field(ge=1)] | None = 5
    """Builds of one repository, of different refs, at the same time."""


class RateLimit(Section):
    """Launches by address (IPv6: by /64)."""

    launches: Annotated[int, Field(ge=0)] = 10
    """In one period; 0: as many as they like."""
    launches_with_page: Annotated[int, Field(ge=0)] = 100
    """The same for launches from our own pages; 0: as many as they like."""
    period_seconds: Seconds = 3600.0
    """It begins with an address's first launch."""
    exempt_networks: tuple[Cidr, ...] = ("127.0.0.0/8", "::1/128")
    """Not counted. By default this machine's own, when no proxy speaks through it."""


class PolicySettings(Section):
    """All of it."""

    banned_networks: dict[Cidr, Annotated[str, Field(max_length=200)]] = Field(default_factory=dict)
    """Network → label, as in “Requests from <label> are not allowed”."""
    banned_specs: tuple[SpecBan, ...] = ()
    allowed_specs: dict[str, tuple[Pattern, ...]] = Field(default_factory=dict)
    """Provider → patterns: of a provider that is named here, only these repositories."""
    quotas: FederationQuotas = FederationQuotas()
    rate_limit: RateLimit = RateLimit()
