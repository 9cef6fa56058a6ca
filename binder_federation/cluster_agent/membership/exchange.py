"""One exchange of an invitation for a membership: what the agent says of itself, and to whom."""

from binder_federation import __version__
from binder_federation.binder.joining import JoinRequest, split_token
from binder_federation.cluster_agent.membership.federation_api import FederationApi
from binder_federation.cluster_agent.membership.keeper import MembershipKeeper
from binder_federation.config.agent import AgentSettings

WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104 - compared


def agent_url(settings: AgentSettings) -> str:
    """Where the federation reaches this agent, as far as its settings tell."""
    if settings.join.agent_url is not None:
        return settings.join.agent_url
    host = "127.0.0.1" if settings.host in WILDCARDS else settings.host
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def new_invitation(settings: AgentSettings, keeper: MembershipKeeper) -> str:
    """The token of the settings, unless what is kept came of it; empty when there is none.

    Raises `InvitationNotValid` when it is no token."""
    if settings.join.token is None:
        return ""
    token = settings.join.token.get_secret_value().strip()
    invitation, _ = split_token(token)
    return "" if invitation == keeper.record.invitation else token


async def exchange(
    token: str, *, settings: AgentSettings, api: FederationApi, keeper: MembershipKeeper
) -> None:
    """Join with `token`, and keep what comes of it. Raises what the two raise."""
    invitation, _ = split_token(token)
    await keeper.prepare()
    request = JoinRequest.model_validate(
        {
            "token": token,
            "agent_id": keeper.record.agent_id,
            "url": agent_url(settings),
            "public_url": settings.join.public_url,
            "version": __version__,
            "stack": settings.stack,
        }
    )
    reply = await api.join(request)
    await keeper.keep(reply, invitation=invitation, federation_url=api.url)
