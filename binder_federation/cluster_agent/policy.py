"""The federation's bans at this member: they come with the answers to its reports.

A member checks what the federation has checked already, so that a ban holds for tokens that
were signed before it, and for visitors who ask an open member themselves. What came last
stays in force while the federation does not answer.
"""

import re
from collections.abc import Mapping

import structlog

from binder_federation.binder.bans import Bans
from binder_federation.binder.errors import InvalidSpec, SpecBanned
from binder_federation.binder.messages import MemberPolicy
from binder_federation.binder.providers import parse_launch_path
from binder_federation.binder.providers.base import RepoProvider

log = structlog.get_logger(__name__)


class HeldPolicy:
    """The bans that are in force here."""

    def __init__(self, *, providers: Mapping[str, RepoProvider]) -> None:
        self._providers = providers
        self._bans = Bans()
        self.digest = ""
        """Names them to the federation."""

    def take(self, policy: MemberPolicy) -> None:
        """These from now on. Bans that this version cannot read change nothing."""
        try:
            bans = Bans(policy)
        except (re.error, ValueError) as error:
            log.warning("policy_not_usable", digest=policy.digest, reason=str(error)[:200])
            return
        self._bans, self.digest = bans, policy.digest
        log.info(
            "policy_taken",
            digest=policy.digest,
            banned_networks=len(policy.banned_networks),
            banned_specs=len(policy.banned_specs),
        )

    def check(self, raw_path: str, client_address: str) -> None:
        """Raises `NetworkBanned` or `SpecBanned` for a launch of `<provider>/<spec>`."""
        self._bans.check_address(client_address)
        try:
            spec = parse_launch_path(self._providers, raw_path)
        except (InvalidSpec, SpecBanned):
            return  # the launch itself tells what is wrong with it
        self._bans.check_spec(spec)
