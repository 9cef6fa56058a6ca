"""What a registry's answers say: tags, digests, deletions, and that something is missing.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
"""

import hashlib
import json
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from binder_federation.cluster_agent.registry.errors import DeletionUnsupported, RegistryUnavailable

log = structlog.get_logger(__name__)

STILL_TAGGED = "GOOGLE_MANIFEST_DANGLING_TAG"
"""Google's error code for the deletion of a manifest that has tags."""


@dataclass(frozen=True, slots=True)
class RegistryAnswer:
    """An answer that was read whole."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def error_codes(self) -> frozenset[str]:
        """The codes in an error's body: `MANIFEST_UNKNOWN`, `UNSUPPORTED`, …"""
        try:
            errors = json.loads(self.body)["errors"]
            return frozenset(str(error.get("code", "")) for error in errors)
        except (ValueError, KeyError, TypeError, AttributeError):
            return frozenset()


class _TagPage(BaseModel):
    tags: list[str] | None = None


def tags_in(answer: RegistryAnswer) -> list[str]:
    """The tags on one page of the list."""
    if answer.status != 200:
        raise strange_answer(answer, "a question for its tags")
    try:
        return _TagPage.model_validate_json(answer.body).tags or []
    except ValidationError as error:
        raise RegistryUnavailable("The registry's list of tags cannot be read.") from error


def is_missing(answer: RegistryAnswer) -> bool:
    """Whether it is the registry that does not have it: a load balancer without a registry
    behind it says 404 too, and must not make all images look gone."""
    return answer.status == 404 and bool(answer.error_codes)


def next_page_in(answer: RegistryAnswer) -> dict[str, str]:
    """The query of the next page, from the Link header; its host and path are ours to know."""
    link = httpx.Response(200, headers=answer.headers).links.get("next", {}).get("url", "")
    return dict(httpx.QueryParams(urlsplit(link).query))


def digest_in(answer: RegistryAnswer) -> str:
    """The digest of the manifest in an answer, computed if it does not say."""
    given = answer.headers.get("Docker-Content-Digest")
    return given or f"sha256:{hashlib.sha256(answer.body).hexdigest()}"


def is_deleted(answer: RegistryAnswer) -> bool:
    """Whether it was there, and is not any more."""
    if answer.status in (200, 202, 204):
        return True
    if answer.status == 405 or "UNSUPPORTED" in answer.error_codes:
        raise DeletionUnsupported(
            "The member's registry does not delete images.",
            advice="Allow it there (Docker's registry: storage.delete.enabled), or unset "
            "registry.bytes_limit and let the registry's own rules clean up.",
        )
    if is_missing(answer):
        return False
    raise strange_answer(answer, "a deletion")


def strange_answer(answer: RegistryAnswer, question: str) -> RegistryUnavailable:
    """What to raise when it is none of the answers that `question` may have."""
    log.warning("registry_answer_unexpected", status=answer.status, to=question)
    return RegistryUnavailable(
        f"The member's registry answered {question} with status {answer.status}.",
        advice="Check that registry.url is the address of a registry.",
    )
