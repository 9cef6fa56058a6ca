"""What the agent's pods are labelled with: the chart's NetworkPolicies and the agent's own
housekeeping find them by it, and tell members apart that share a namespace."""

from enum import StrEnum

NAME = "app.kubernetes.io/name"
COMPONENT = "app.kubernetes.io/component"
MEMBER = "binder-federation.org/member"
PROJECT = "binderfed"
USER_ANNOTATION = "hub.jupyter.org/username"
"""KubeSpawner writes the hub's user there, unescaped."""
SERVER_ANNOTATION = "hub.jupyter.org/servername"
"""And there the server's name, if it has one."""


class Component(StrEnum):
    """What a pod is for."""

    SERVER = "server"
    BUILD = "build"
    PREPULL = "prepull"


def labels_of(member: str, component: Component) -> dict[str, str]:
    """The labels of a pod of `member`."""
    return {NAME: PROJECT, COMPONENT: component.value, MEMBER: member}


def selector_of(member: str, component: Component) -> str:
    """What finds such pods: `a=b,c=d`."""
    return ",".join(f"{name}={value}" for name, value in labels_of(member, component).items())
