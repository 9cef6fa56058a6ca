"""Does the agent answer at the address that it gave, with TLS that is good, and is it well?

The same probe as health has (`health/probes.py`); here each reason has a sentence.
"""

import httpx

from binder_federation.binder.joining import JoinCheck
from binder_federation.health.probes import ProbeResult, probe

NAME = "Agent reachable"
_TROUBLE = {
    "timeout": (
        "does not answer in time",
        "Let the federation through the firewall, and see that the agent is not overloaded.",
    ),
    "refused": (
        "refuses connections",
        "Start the agent (binderfed-agent serve), and check the port and its host setting.",
    ),
    "tls": (
        "has no certificate that can be trusted",
        "Renew it if it has expired; it must be for this very name, from a known authority.",
    ),
    "unresolved": ("has a name that the DNS does not know", "Check the address, and the DNS."),
    "unreachable": (
        "cannot be reached",
        "Check the address, and the route to it from the internet.",
    ),
    "reset": ("breaks connections off", "Look at the proxy before the agent, and at its log."),
    "malformed": (
        "answers with what no agent says",
        "Something else answers there: check the address, and the proxy's route.",
    ),
}


async def check_agent(
    client: httpx.AsyncClient, url: str, *, seconds: float
) -> tuple[JoinCheck, ProbeResult]:
    """The check, and all that the probe found."""
    result = await probe(client, url, timeout_seconds=seconds)
    return judge_agent(url, result), result


def judge_agent(url: str, result: ProbeResult) -> JoinCheck:
    """A sentence for each reason that a probe can have."""
    if result.passed:
        return JoinCheck(name=NAME, ok=True, message=f"{url} answers and is well.")
    reason = result.reason
    if reason.startswith("check:"):
        failing = reason.removeprefix("check:")
        return JoinCheck(
            name=NAME,
            ok=False,
            message=f"The agent answers, but its own check fails: {failing}.",
            advice="The agent's log says why; binderfed-agent doctor looks at its parts.",
        )
    if reason.startswith("status_"):
        status = reason.removeprefix("status_")
        said, advice = f"answers /health with status {status}", _TROUBLE["malformed"][1]
    else:
        said, advice = _TROUBLE.get(reason, ("is not well", "Look at the agent's log."))
    return JoinCheck(name=NAME, ok=False, message=f"{url} {said}.", advice=advice)
