"""One sentence for everything that the local stack cannot build."""

from binder_federation.binder.errors import UnsupportedRepository


def unsupported(file: str, what: str) -> UnsupportedRepository:
    """The error for `file`, which asks for `what`."""
    return UnsupportedRepository(
        f"{file} asks for {what}. This member makes Python environments with pip only; "
        "members with the Docker or the Kubernetes stack build this repository.",
        advice="Launch it at such a member, or describe the environment in a requirements.txt.",
    )
