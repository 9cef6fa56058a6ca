"""Do the agent and the federation understand each other?"""

from collections.abc import Mapping

from binder_federation.binder.joining import JoinCheck
from binder_federation.binder.messages import PROTOCOL_VERSION

NAME = "Version"


def judge_version(incompatibility: str, versions: Mapping[str, str | int] | None) -> JoinCheck:
    """`incompatibility` is what its reports say; `versions` what it answers at `/versions`."""
    if incompatibility:
        return JoinCheck(
            name=NAME,
            ok=False,
            message=f"The versions do not fit: {incompatibility}.",
            advice="Install the agent's version that belongs to this federation.",
        )
    named = (versions or {}).get("binder-federation") or (versions or {}).get("builder") or ""
    told = f" ({named})" if named else ""
    return JoinCheck(name=NAME, ok=True, message=f"Protocol {PROTOCOL_VERSION}{told}.")
