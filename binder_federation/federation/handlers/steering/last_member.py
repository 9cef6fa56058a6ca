"""Whether anybody would be left to take launches."""

from binder_federation.federation.context import FederationContext
from binder_federation.federation.core.member import Member
from binder_federation.federation.orders.errors import LastMember


def check_not_last(context: FederationContext, name: str) -> None:
    """Raises `LastMember` when `name` takes launches now and nobody else does."""
    takers = [member.name for member in context.roster if _takes_launches(context, member)]
    if takers == [name]:
        raise LastMember(
            f"{name} is the last member that takes launches: nobody could launch anything.",
            advice="Bring another member back first, or say that this is meant with --force.",
        )


def _takes_launches(context: FederationContext, member: Member) -> bool:
    health = context.monitor.health(member.name)
    is_away = member.is_draining or member.is_joining or context.reports.is_draining(member.name)
    return health.state.is_well and not health.is_ejected and not is_away
