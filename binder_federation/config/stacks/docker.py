"""Settings of the Docker stack."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from binder_federation.config.federation import HttpUrl
from binder_federation.config.providers import Section


def _engine_url(value: str) -> str:
    if value and not value.startswith(("unix:///", "tcp://")):
        raise ValueError("must begin with unix:/// or tcp://")
    return value


PortNumber = Annotated[int, Field(ge=1, le=65535)]


class DockerStackSettings(Section):
    """One Docker engine: it builds, keeps images and runs users' servers."""

    engine_url: Annotated[str, AfterValidator(_engine_url)] = ""
    """`unix:///var/run/docker.sock` or `tcp://…`; empty: `DOCKER_HOST`, or the usual socket."""
    hub_host: str = "127.0.0.1"
    hub_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Where the hub's proxy listens; 0 takes a free port."""
    public_url: HttpUrl | None = None
    """Where users' browsers reach the hub's proxy; default the address it listens on."""
    network: str = "binderfed-{name}-{id}"
    """The network that servers are attached to; made when missing, without traffic between
    servers. `{name}` is the member's name, `{id}` stands for its state folder."""
    servers_at: Literal["container", "port"] = "container"
    """How the proxy reaches a server: at its own address, or at a port of the engine's machine,
    where containers' addresses lead nowhere (a rootless or remote engine, Docker Desktop)."""
    firewall: bool = True
    """Whether the agent, where it runs as root beside the engine, keeps servers from the
    machine's own services and from `blocked_networks`, with iptables."""
    egress_ports: Annotated[
        tuple[Annotated[int, Field(ge=1, le=65535)], ...], Field(max_length=14)
    ] = (
        80,
        443,
        9418,
    )
    """TCP ports that servers reach elsewhere, with DNS: web and git. Empty: all. It takes the
    firewall."""
    blocked_networks: tuple[str, ...] = ("169.254.0.0/16",)
    """What servers do not reach, as addresses with a prefix length: the cloud's metadata."""
    firewall_builds: bool = False
    """Whether `blocked_networks` are kept from the engine's default network too, where builds
    run, and with them everything else that runs there."""
    keep_servers: bool = False
    """Whether users' servers go on while the agent is stopped, and are found again. It needs a
    fixed `hub_port`, or their addresses change."""
    image_bytes_limit: Annotated[int, Field(gt=0)] = 50_000_000_000
    """High-water mark of the images on the engine: above it the least recently launched go."""
    image_low_water_share: Annotated[float, Field(gt=0, le=1)] = 0.75
    least_free_bytes: Annotated[int, Field(ge=0)] = 5_000_000_000
    """With less on the engine's disk nothing is built; images that are there still start."""
