"""Settings of a member's registry: where its images are kept, and how it is talked to."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from binder_federation.config.federation import HttpUrl
from binder_federation.config.providers import Seconds, Section

CredentialsKind = Literal["none", "static", "google", "ecr"]

_HOST = r"(?:localhost|[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+|[a-zA-Z0-9-]+(?=:))(?::[0-9]+)?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_HOST}/{_PART}(?:/{_PART})*")
_ECR_HOST = re.compile(r"[0-9]+\.dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.[a-z0-9.-]+")
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]+){3})(?::[0-9]+)?")


def _repository(value: str) -> str:
    if not value or _REPOSITORY.fullmatch(value):
        return value
    if "://" in value:
        raise ValueError("must begin with the registry's host, without http:// or https://")
    if re.search(r":[^/]*$", value) or "@" in value:
        raise ValueError("must end with the repository's name: tags are made by the agent")
    raise ValueError(
        "must be a host and a name in lower-case letters, as in registry.example.org/binder/images"
    )


class RegistrySettings(Section):
    """Where images are kept, so that every machine of this member can start them."""

    repository: Annotated[str, AfterValidator(_repository)] = ""
    """`registry.example.org/binder/images`, as the machines that pull know it. All images are
    tags of it. Empty: no registry, images stay on the machine that built them."""
    url: HttpUrl | None = None
    """How the agent reaches the registry's API, where that is not `https://<host>` (`http://`
    for a loopback host, as container engines have it)."""
    credentials: CredentialsKind = "none"
    """`static`: the user and password here, or those in `docker_config_file`; `google` and
    `ecr`: what the machine or its service account may do."""
    username: str = ""
    password: SecretStr | None = None
    docker_config_file: Path | None = None
    """A Docker `config.json`, such as a mounted Secret; read again when it changes."""
    google_metadata_url: HttpUrl = "http://metadata.google.internal"
    ecr_endpoint_url: HttpUrl | None = None
    """Of the ECR API, where that is not AWS's own (a VPC endpoint)."""
    request_timeout_seconds: Seconds = 10.0
    """For one request; what needs several gets a deadline of its own."""
    push_timeout_seconds: Seconds = 900.0
    """For one push as a whole."""
    push_stall_seconds: Seconds = 120.0
    """A push that makes no progress for so long has failed."""
    allow_delete: bool = False
    """Whether this member may delete images. Of members that share a repository, one may."""
    bytes_limit: Annotated[int, Field(gt=0)] | None = None
    """The high-water mark, each image counted whole; None keeps everything."""
    low_water_share: Annotated[float, Field(gt=0, le=1)] = 0.75
    """Above the mark, images go until this share of it is left."""

    @property
    def host(self) -> str:
        """`registry.example.org`, with its port if it has one."""
        return self.repository.partition("/")[0]

    @property
    def name(self) -> str:
        """`binder/images`, as the registry's API knows it."""
        return self.repository.partition("/")[2]

    @property
    def api_url(self) -> str:
        """Where the agent reaches the registry's API, without a trailing `/`."""
        if self.url is not None:
            return self.url
        if self.host == "docker.io":
            return "https://registry-1.docker.io"
        scheme = "http" if _LOOPBACK.fullmatch(self.host) else "https"
        return f"{scheme}://{self.host}"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.credentials != "none" and not self.repository:
            raise ValueError("credentials are of no use without a repository; set it")
        self._check_static()
        if self.credentials == "ecr" and not _ECR_HOST.fullmatch(self.host):
            raise ValueError(
                "credentials: ecr needs a repository at <account>.dkr.ecr.<region>.amazonaws.com"
            )
        if self.bytes_limit is not None and not self.allow_delete:
            raise ValueError("bytes_limit removes images: set allow_delete too, or neither")
        return self

    def _check_static(self) -> None:
        has_password = bool(self.username) or self.password is not None
        if self.credentials != "static":
            if has_password or self.docker_config_file is not None:
                raise ValueError(
                    "username, password and docker_config_file are read with credentials: static"
                )
            return
        if has_password and self.docker_config_file is not None:
            raise ValueError("give either username and password, or docker_config_file, not both")
        if has_password and (not self.username or self.password is None):
            raise ValueError("username and password go together; one of them is missing")
        if not has_password and self.docker_config_file is None:
            raise ValueError(
                "credentials: static needs username and password, or docker_config_file"
            )
