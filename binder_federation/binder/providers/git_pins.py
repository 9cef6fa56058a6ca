"""What git is told so that it connects to the addresses that were checked, and nowhere else."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from ipaddress import IPv6Address

from binder_federation.binder.providers.addresses import Address
from binder_federation.binder.providers.base import GitSource
from binder_federation.binder.providers.git_urls import GitUrl

# ssh offers none of this user's keys to a stranger's host: with them, a link could reach
# what this user may read. It reads no configuration, and remembers no host.
_SSH_AS_NOBODY = (
    "-F /dev/null -o IdentitiesOnly=yes -o IdentityFile=none -o IdentityAgent=none "
    "-o UserKnownHostsFile=/dev/null -o GlobalKnownHostsFile=/dev/null "
    "-o StrictHostKeyChecking=accept-new"
)
_SSH_ALWAYS = "ssh -o BatchMode=yes -o ConnectTimeout=15 -o ClearAllForwardings=yes"


def pinned_source(
    url: GitUrl,
    addresses: Sequence[Address] | None,
    *,
    environment: Mapping[str, str],
    uses_own_keys: bool,
) -> GitSource:
    """`url` for git, held to `addresses` (None: wherever the name leads).

    `uses_own_keys` lets ssh use this user's keys and configuration; it is for URLs that
    the operator vouches for.
    """
    config: dict[str, str] = {}
    variables = {"GIT_ALLOW_PROTOCOL": url.protocol, **environment}
    match url.protocol:
        case "http" | "https":
            config = _http_config(url, addresses)
        case "git" if addresses is not None:
            config = _git_config(url, addresses)
            variables["GIT_OVERRIDE_VIRTUAL_HOST"] = url.network_location
        case "ssh":
            variables["GIT_SSH_COMMAND"] = _ssh_command(url, addresses, uses_own_keys=uses_own_keys)
            variables["GIT_SSH_VARIANT"] = "ssh"
        case "file":
            # What the operator offers may belong to another user; git refuses that otherwise.
            variables["GIT_CONFIG_GLOBAL"] = str(files(__package__) / "file_sources.gitconfig")
    return GitSource(url=url.text, config=config, environment=variables)


def _http_config(url: GitUrl, addresses: Sequence[Address] | None) -> dict[str, str]:
    config = {"http.followRedirects": "false"}
    if addresses is not None and not url.is_address:
        pins = ",".join(_bracketed(address) for address in addresses)
        config["http.curloptResolve"] = f"{url.host}:{url.effective_port}:{pins}"
    return config


def _git_config(url: GitUrl, addresses: Sequence[Address]) -> dict[str, str]:
    """git:// has no setting for addresses; the host in the URL is replaced on the way."""
    pinned = f"git://{_bracketed(addresses[0])}:{url.effective_port}/"
    return {f"url.{pinned}.insteadOf": f"git://{url.network_location}/"}


def _ssh_command(url: GitUrl, addresses: Sequence[Address] | None, *, uses_own_keys: bool) -> str:
    """A shell command; what is put into it was checked to be an address and a host."""
    parts = [_SSH_ALWAYS] if uses_own_keys else [_SSH_ALWAYS, _SSH_AS_NOBODY]
    if not url.user:  # else it would be the name of this process's user
        parts.append("-o User=git")
    if addresses is not None:
        parts.append(f"-o HostName={addresses[0]} -o HostKeyAlias={url.host}")
    return " ".join(parts)


def _bracketed(address: Address) -> str:
    return f"[{address}]" if isinstance(address, IPv6Address) else str(address)
