"""One member, as the settings and the live orders have it."""

from dataclasses import dataclass, field

from binder_federation.config.federation import MemberKind


@dataclass(frozen=True, slots=True)
class Member:
    """One Binder cluster in the federation."""

    name: str
    url: str
    weight: float
    is_draining: bool
    credential: str = field(repr=False)
    """Empty for a BinderHub."""
    old_credentials: tuple[str, ...] = field(default=(), repr=False)
    """Taken from the member as well; we sign with the present one alone."""
    public_url: str = ""
    """Where visitors' browsers reach it, in redirect mode."""
    kind: MemberKind = MemberKind.AGENT
    pod_headroom: int = 0
    takes_build_only: bool = True
    uses_page_tokens: bool = True
    """Of a BinderHub: whether its launch page may be asked for a build token."""
    drain_reason: str = ""
    """What the operator said who drains it."""
    generation: int = 0
    """Of its derived credential; 0 for a member of the settings, which has one of its own."""
    is_joining: bool = False
    """It was invited, and its checks have not passed yet: it gets no launches."""
    admitted_at: float | None = None
    """When its checks had passed; its slow start begins there."""

    @property
    def is_binderhub(self) -> bool:
        """Whether it is an unmodified BinderHub: no reports, no tokens, nothing to resume."""
        return self.kind is MemberKind.BINDERHUB

    @property
    def is_joined(self) -> bool:
        """Whether it came by invitation."""
        return self.generation > 0
