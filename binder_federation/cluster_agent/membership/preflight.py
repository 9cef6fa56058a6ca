"""What can be seen from this side before an invitation is used: one line for each question.

The federation looks from its own side afterwards. `ok` is None where it cannot be known from here.
Nothing is changed, but a file in the state folder that is made and removed.
"""

import ipaddress
import tempfile
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from binder_federation.binder.joining import JoinCheck
from binder_federation.binder.messages import PROTOCOL_VERSION
from binder_federation.binder.report_tokens import CLOCK_SECONDS
from binder_federation.cluster_agent.membership.exchange import agent_url
from binder_federation.cluster_agent.membership.federation_api import explain
from binder_federation.config.agent import AgentSettings

ANSWER_SECONDS = 10.0


async def examine(
    settings: AgentSettings, *, federation_url: str, client: httpx.AsyncClient
) -> Sequence[JoinCheck]:
    """All of them, in the order in which they are shown."""
    return [
        *await _federation(federation_url, client),
        _address(settings, federation_url),
        *await _agent(settings, client),
        _state_folder(settings),
    ]


def has_failed(checks: Sequence[JoinCheck]) -> bool:
    """Whether something is to be mended first."""
    return any(check.ok is False for check in checks)


async def _federation(url: str, client: httpx.AsyncClient) -> list[JoinCheck]:
    """It answers over TLS, speaks our protocol, and its clock is ours."""
    try:
        answer = await client.get(f"{url}/versions", timeout=ANSWER_SECONDS)
        versions = answer.json()
        version, protocol = str(versions["binder-federation"]), int(versions["protocol"])
    except httpx.HTTPError as error:
        advice = "Check the address, the certificate and the way out of this network."
        return [
            JoinCheck(
                name="federation",
                ok=False,
                message=f"{url} does not answer: {explain(error)}.",
                advice=advice,
            )
        ]
    except (ValueError, KeyError, TypeError):
        return [
            JoinCheck(
                name="federation",
                ok=False,
                message=f"{url} answers, but is no federation.",
                advice="Take the address that the federation's operator gave you.",
            )
        ]
    reached = JoinCheck(name="federation", ok=True, message=f"{url} answers.")
    return [reached, _version(version, protocol), _clock(answer)]


def _version(version: str, protocol: int) -> JoinCheck:
    if protocol == PROTOCOL_VERSION:
        return JoinCheck(name="version", ok=True, message=f"The federation runs {version}.")
    return JoinCheck(
        name="version",
        ok=False,
        message=f"The federation speaks protocol {protocol}, this agent {PROTOCOL_VERSION}.",
        advice=f"Install the agent of version {version}.",
    )


def _clock(answer: httpx.Response) -> JoinCheck:
    """The header Date is exact to the second."""
    try:
        off = parsedate_to_datetime(answer.headers["Date"]).timestamp() - time.time()
    except (KeyError, ValueError):
        return JoinCheck(name="clock", message="The federation does not tell the time.")
    if abs(off) <= CLOCK_SECONDS / 2:
        return JoinCheck(name="clock", ok=True, message="This clock is the federation's.")
    direction = "behind" if off > 0 else "ahead of"
    return JoinCheck(
        name="clock",
        ok=False,
        message=f"This clock is {abs(off):.0f} seconds {direction} the federation's.",
        advice="Let the machine keep time by NTP (timedatectl set-ntp true).",
    )


def _address(settings: AgentSettings, federation_url: str) -> JoinCheck:
    """Whether the address that the federation is given can be meant."""
    url = agent_url(settings)
    if _is_loopback(url) and not _is_loopback(federation_url):
        return JoinCheck(
            name="address",
            ok=False,
            message=f"The federation cannot reach this agent at {url}.",
            advice="Set join.agent_url to the address of your Ingress or proxy (--agent-url).",
        )
    if urlsplit(url).scheme != "https" and not _is_loopback(url):
        return JoinCheck(
            name="address",
            ok=True,
            message=f"The federation is given {url}. What it sends there can be read on the way.",
            advice="Use an https:// address where the way leads through other networks.",
        )
    return JoinCheck(name="address", ok=True, message=f"The federation is given {url}.")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _agent(settings: AgentSettings, client: httpx.AsyncClient) -> list[JoinCheck]:
    """The agent itself, if it serves already: what it says of its stack."""
    url = agent_url(settings)
    try:
        answer = await client.get(f"{url}/health", timeout=ANSWER_SECONDS)
        found = [each for each in answer.json()["checks"] if each["service"] != "Membership"]
        bad = [each for each in found if not each["ok"] and not each.get("_ignore_failure")]
    except httpx.HTTPError as error:
        message = f"No agent answers at {url} yet ({explain(error)})."
        advice = "Start it: binderfed-agent serve with the same settings."
        return [JoinCheck(name="agent", message=message, advice=advice)]
    except (ValueError, KeyError, TypeError):
        return [
            JoinCheck(
                name="agent",
                ok=False,
                message=f"What answers at {url} is no agent.",
                advice="Check join.agent_url, host and port, and what proxies do in between.",
            )
        ]
    if not bad:
        return [JoinCheck(name="agent", ok=True, message=f"The agent at {url} is well.")]
    return [
        JoinCheck(
            name="agent",
            ok=False,
            message=f"{each['service']}: {each.get('message') or 'not well'}",
            advice="The agent's log tells more.",
        )
        for each in bad
    ]


def _state_folder(settings: AgentSettings) -> JoinCheck:
    """Whether a membership can be kept."""
    if settings.join.secret:
        message = f"The membership is kept in the Secret {settings.join.secret}."
        return JoinCheck(name="storage", message=message)
    folder = settings.state_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".join-"):
            pass
    except OSError as error:
        return JoinCheck(
            name="storage",
            ok=False,
            message=f"{folder} cannot be written: {error.strerror}.",
            advice="The state folder (state_dir) must belong to the agent's user.",
        )
    return JoinCheck(name="storage", ok=True, message=f"The membership is kept in {folder}.")
