"""Who and what may not launch: the same rules at the federation and, pushed to it, at a member.

The federation refuses first. Members check again, by the address and the spec in the token
of a launch: a ban holds for tokens that were signed before it, and for visitors who ask an
open member themselves.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from binder_federation.binder.errors import NetworkBanned, SpecBanned
from binder_federation.binder.messages import MemberPolicy, SpecBanRecord
from binder_federation.binder.networks import LabelledNetworks
from binder_federation.binder.spec import LaunchSpec

REMEMBERED = 8192
NO_POLICY = MemberPolicy()


class Bans:
    """The bans in a policy. Raises `re.error` and `ValueError` for one that cannot be used."""

    def __init__(self, policy: MemberPolicy = NO_POLICY) -> None:
        self._has_networks = bool(policy.banned_networks)
        self._has_specs = bool(policy.banned_specs or policy.allowed_specs)
        self._find_network = lru_cache(REMEMBERED)(
            LabelledNetworks(policy.banned_networks).find_text
        )
        self._banned = [(_compile(each.pattern), each) for each in policy.banned_specs]
        self._allowed = _compile_all(policy.allowed_specs)
        self._find_spec = lru_cache(REMEMBERED)(self._judge)

    def check_address(self, address: str) -> None:
        """Raises `NetworkBanned` when the visitor's address is in a banned network."""
        if not self._has_networks:
            return
        label = self._find_network(address)
        if label is not None:
            raise NetworkBanned(
                f"Requests from {label or 'this network'} are not allowed.",
                advice="If you think that this is a mistake, tell the operators of this service.",
            )

    def check_spec(self, spec: LaunchSpec) -> None:
        """Raises `SpecBanned` when this repository, or this ref of it, may not be launched."""
        if not self._has_specs:
            return
        message = self._find_spec(spec)
        if message is not None:
            raise SpecBanned(
                message,
                advice="If you think that this is a mistake, tell the operators of this service.",
            )

    def _judge(self, spec: LaunchSpec) -> str | None:
        texts = spec_texts(spec)
        for pattern, ban in self._banned:
            if any(pattern.fullmatch(text) for text in texts):
                return ban.message or f"{shown(spec)} may not be launched here."
        providers = {spec.provider, spec.affinity_key.partition("/")[0]}
        rules = [self._allowed[each] for each in providers if each in self._allowed]
        if all(any(p.fullmatch(text) for p in rule for text in texts) for rule in rules):
            return None
        return f"{shown(spec)} is not among the repositories that may be launched here."


def spec_texts(spec: LaunchSpec) -> tuple[str, ...]:
    """What a pattern is held against: the affinity key, alone and with the ref; and the same of
    the link's own spelling, where that is another one."""
    linked = f"{spec.provider}/{spec.repository.casefold().rstrip('/').removesuffix('.git')}"
    keys = dict.fromkeys((spec.affinity_key, linked))
    return tuple(text for key in keys for text in (key, f"{key}/{spec.ref}"))


def shown(spec: LaunchSpec) -> str:
    """The repository as a sentence names it."""
    return f"The repository {spec.repository[:200]}"


def make_member_policy(
    networks: Mapping[str, str],
    banned: Sequence[SpecBanRecord],
    allowed: Mapping[str, Sequence[str]],
) -> MemberPolicy:
    """The message that carries these bans, with its digest. No bans have the digest ""."""
    policy = MemberPolicy(
        banned_networks=dict(networks),
        banned_specs=tuple(banned),
        allowed_specs={name: tuple(patterns) for name, patterns in allowed.items()},
    )
    return policy.with_digest()


def _compile(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _compile_all(patterns: Mapping[str, Sequence[str]]) -> Mapping[str, list[re.Pattern[str]]]:
    return {name: [_compile(each) for each in some] for name, some in patterns.items()}
