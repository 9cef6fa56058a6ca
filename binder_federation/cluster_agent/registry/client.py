"""A registry's API, as far as an agent needs it: which tags, what image, delete it.

An image counts once the registry has its manifest: `find` is None until then. A
missing repository, tag or image is a value; everything else that is wrong is a
`RegistryError`. Deadlines are in the event loop's time.
https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import httpx
import structlog

from binder_federation.cluster_agent.registry.answers import (
    STILL_TAGGED,
    RegistryAnswer,
    digest_in,
    is_deleted,
    is_missing,
    next_page_in,
    strange_answer,
    tags_in,
)
from binder_federation.cluster_agent.registry.authorizer import Access
from binder_federation.cluster_agent.registry.connection import RegistryConnection
from binder_federation.cluster_agent.registry.credentials.base import Credentials, RegistryLogin
from binder_federation.cluster_agent.registry.errors import (
    DeletionUnsupported,
    ImageUnreadable,
    RegistryDenied,
    RegistryError,
    RegistryUnavailable,
)
from binder_federation.cluster_agent.registry.manifests import (
    ACCEPT,
    ImageConfig,
    ImageIndex,
    ImageManifest,
    choose_platform,
    read_config,
    read_manifest,
)
from binder_federation.config.registry import RegistrySettings

log = structlog.get_logger(__name__)

PAGE_TAGS = 1000
MAX_PAGES = 1000


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """An image in the registry."""

    tag: str
    digest: str
    """Of what the tag points at."""
    size_bytes: int
    """Of its layers, compressed, and its config."""
    labels: Mapping[str, str]
    created: datetime | None


class RegistryClient:
    """The one repository of a registry that holds a member's images."""

    def __init__(
        self, *, connection: RegistryConnection, name: str, is_deletion_allowed: bool
    ) -> None:
        self._connection = connection
        self._path = f"/v2/{name}"
        self._is_deletion_allowed = is_deletion_allowed

    async def ping(self, *, deadline: float) -> None:
        """Raises `RegistryError` when there is no registry, or not for us."""
        answer = await self._connection.request(
            "GET", "/v2/", access=Access.PULL, deadline=deadline
        )
        if answer.status != 200:
            raise strange_answer(answer, "a question for its version")

    async def check_push(self, *, deadline: float) -> None:
        """Raises `RegistryError` when this member may not push; better known before a build.

        Begins an upload and gives it up at once.
        """
        answer = await self._connection.request(
            "POST", f"{self._path}/blobs/uploads/", access=Access.PUSH, deadline=deadline
        )
        if is_missing(answer):
            raise RegistryDenied(
                "The registry does not have the repository for this member's images.",
                advice="Make it there first, or correct registry.repository.",
            )
        if answer.status != 202:
            raise strange_answer(answer, "the beginning of a push")
        await self._give_up_upload(answer.headers.get("Location", ""), deadline)

    async def fetch_login(self, *, deadline: float) -> RegistryLogin | None:
        """The login for `docker push`; None if the registry needs none."""
        return await self._connection.fetch_login(deadline=deadline)

    async def list_tags(self, *, deadline: float) -> list[str]:
        """All tags; none when the repository does not exist yet."""
        found: list[str] = []
        params = {"n": str(PAGE_TAGS)}
        for _ in range(MAX_PAGES):
            answer = await self._connection.request(
                "GET",
                f"{self._path}/tags/list",
                params=params,
                access=Access.PULL,
                deadline=deadline,
            )
            if is_missing(answer):
                return found
            found.extend(tags_in(answer))
            following = next_page_in(answer)
            if not following:
                return found
            if following == params:
                break
            params = following
        raise RegistryUnavailable("The registry's list of tags does not end.")

    async def find(self, tag: str, *, deadline: float) -> RemoteImage | None:
        """The image, if the registry has its manifest. Raises `ImageUnreadable` when the tag
        points at something else."""
        answer = await self._fetch_manifest(tag, deadline)
        if answer is None:
            return None
        manifest = read_manifest(answer.body)
        if isinstance(manifest, ImageIndex):
            manifest = await self._fetch_chosen(manifest, deadline)
        config = await self._fetch_config(manifest, deadline)
        return RemoteImage(
            tag, digest_in(answer), manifest.size_bytes, config.labels, config.created
        )

    async def fetch_digest(self, tag: str, *, deadline: float) -> str | None:
        """The digest of what the tag points at; None when there is no such tag."""
        answer = await self._request_manifest("HEAD", tag, Access.PULL, deadline)
        if answer.status == 200 and "Docker-Content-Digest" in answer.headers:
            return answer.headers["Docker-Content-Digest"]
        # Some registries do not answer HEAD with everything, and no 404 to it says whose it is.
        whole = await self._fetch_manifest(tag, deadline)
        return digest_in(whole) if whole else None

    async def delete(self, tag: str, *, deadline: float) -> bool:
        """Delete the image that the tag points at; False when it is gone already.

        Other tags of the same manifest go too. Space is freed when the registry next
        collects its garbage. Raises `DeletionUnsupported`.
        """
        if not self._is_deletion_allowed:
            raise DeletionUnsupported(
                "This member's settings do not allow to delete images in its registry.",
                advice="Set registry.allow_delete.",
            )
        digest = await self.fetch_digest(tag, deadline=deadline)
        if digest is None:
            return False
        answer = await self._request_manifest("DELETE", digest, Access.DELETE, deadline)
        if STILL_TAGGED in answer.error_codes:  # Google wants its tags deleted first
            await self._request_manifest("DELETE", tag, Access.DELETE, deadline)
            answer = await self._request_manifest("DELETE", digest, Access.DELETE, deadline)
        return is_deleted(answer)

    async def _give_up_upload(self, location: str, deadline: float) -> None:
        """Where the registry lets us; else it forgets the upload by itself."""
        place = urlsplit(location)
        if not place.path.startswith(self._path):
            return
        try:
            await self._connection.request(
                "DELETE",
                place.path,
                params=dict(httpx.QueryParams(place.query)),
                access=Access.PUSH,
                deadline=deadline,
            )
        except RegistryError as error:
            log.info("registry_upload_left", reason=error.message)

    async def _fetch_manifest(self, reference: str, deadline: float) -> RegistryAnswer | None:
        answer = await self._request_manifest("GET", reference, Access.PULL, deadline)
        if is_missing(answer):
            return None
        if answer.status != 200:
            raise strange_answer(answer, "a question for a manifest")
        return answer

    async def _request_manifest(
        self, method: str, reference: str, access: Access, deadline: float
    ) -> RegistryAnswer:
        return await self._connection.request(
            method,
            f"{self._path}/manifests/{reference}",
            headers={"Accept": ACCEPT},
            access=access,
            deadline=deadline,
        )

    async def _fetch_chosen(self, index: ImageIndex, deadline: float) -> ImageManifest:
        chosen = choose_platform(index.manifests)
        answer = await self._fetch_manifest(chosen.digest, deadline)
        manifest = read_manifest(answer.body) if answer else None
        if not isinstance(manifest, ImageManifest):
            raise ImageUnreadable("The image's list of platforms leads to no image.")
        return manifest

    async def _fetch_config(self, manifest: ImageManifest, deadline: float) -> ImageConfig:
        answer = await self._connection.request(
            "GET",
            f"{self._path}/blobs/{manifest.config.digest}",
            access=Access.PULL,
            deadline=deadline,
        )
        if is_missing(answer):
            raise ImageUnreadable("The registry has the image's manifest, but not its config.")
        if answer.status != 200:
            raise strange_answer(answer, "a question for an image's config")
        return read_config(answer.body)


def make_registry_client(
    settings: RegistrySettings,
    *,
    client: httpx.AsyncClient,
    credentials: Credentials,
    clock: Callable[[], float],
    first_pause_seconds: float = 0.5,
) -> RegistryClient:
    """The client for the repository of `settings`; `clock` gives seconds since the epoch."""
    connection = RegistryConnection(
        api_url=settings.api_url,
        name=settings.name,
        client=client,
        credentials=credentials,
        timeout_seconds=settings.request_timeout_seconds,
        clock=clock,
        first_pause_seconds=first_pause_seconds,
    )
    return RegistryClient(
        connection=connection, name=settings.name, is_deletion_allowed=settings.allow_delete
    )
