"""A host's repository for git, with a login that nobody sees.

The hosts are the operator's choice, so the address rule for strangers' URLs does not
apply to them, and proxies of the environment are used. A login goes through the
environment, where no list of processes shows it, and only to that host.
"""

import base64
from dataclasses import dataclass, field

from binder_federation.binder.providers.base import GitSource
from binder_federation.binder.providers.git_environment import PROXY_VARIABLES, inherited


@dataclass(frozen=True, slots=True)
class Login:
    """User and password, or what stands for them."""

    user: str
    password: str = field(repr=False)


def hosted_source(url: str, *, host_url: str, login: Login | None) -> GitSource:
    """The repository at `url`, which is below `host_url`."""
    environment = {"GIT_ALLOW_PROTOCOL": "http:https", **inherited(PROXY_VARIABLES)}
    if login is not None:
        environment |= _header_environment(host_url, login)
    return GitSource(
        url=url,
        config={"http.followRedirects": "initial"},  # renamed repositories
        environment=environment,
    )


def _header_environment(host_url: str, login: Login) -> dict[str, str]:
    """A git setting through the environment: https://git-scm.com/docs/git-config#ENVIRONMENT"""
    basic = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"http.{host_url}/.extraheader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
    }
