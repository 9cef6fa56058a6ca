"""The command lines of buildx. Pure."""

from collections.abc import Mapping, Sequence

BUILDER = "remote"
"""What a BuildKit elsewhere is called, in a folder that goes with the build."""


def builder_command(address: str) -> list[str]:
    """The command that tells buildx of the BuildKit at `address`."""
    return ["docker", "buildx", "create", "--driver", "remote", "--name", BUILDER, address]


def buildx_arguments(
    *,
    context: str,
    tag: str,
    is_pushed: bool,
    builder: str = "",
    dockerfile: str = "",
    platform: str = "",
    buildargs: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    cache_from: Sequence[str] = (),
    extra: Sequence[str] = (),
) -> list[str]:
    """`buildx build …`: what follows the engine's program on the command line.

    `builder` names a builder other than the engine's own.
    """
    result = "--push" if is_pushed else "--load"
    arguments = ["buildx", "build", "--progress", "plain", result]
    named = {"--builder": builder, "--file": dockerfile, "--tag": tag, "--platform": platform}
    for option, value in named.items():
        if value:
            arguments += [option, value]
    for option, values in (("--build-arg", buildargs), ("--label", labels)):
        for name, value in (values or {}).items():
            arguments += [option, f"{name}={value}"]
    for source in cache_from:
        arguments += ["--cache-from", source]
    return [*arguments, *extra, context]
