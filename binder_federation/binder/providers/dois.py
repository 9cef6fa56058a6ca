"""DOIs: how people write them, the one way in which we do, and where they lead.

`10.5281/zenodo.123`, `doi:10.5281/…`, `https://doi.org/10.5281/…`, each percent-encoded or
not, are one DOI. doi.org is asked through its REST API, which tells the registered address
without going there: https://www.doi.org/the-identifier/resources/factsheets/doi-resolution-documentation
"""

import re
from typing import Any
from urllib.parse import quote

from binder_federation.binder.errors import InvalidSpec, RepositoryNotFound
from binder_federation.binder.providers.json_api import Answer, JsonApi
from binder_federation.binder.providers.text import decode_once, shown

MAX_DOI_LENGTH = 255

# One slash is enough: some servers merge two of a path.
_BEFORE = re.compile(r"(?:doi:\s*|(?:https?:/{1,2})?(?:dx\.|www\.)?doi\.org/)", re.IGNORECASE)
_DOI = re.compile(r"10\.\d{4,9}(?:\.\d{1,9})*/[A-Za-z0-9._()/:;+-]+")


def parse_doi(raw_spec: str, *, example: str) -> str:
    """The DOI in a path, still percent-encoded. `InvalidSpec` says what is wrong."""
    text = decode_once(raw_spec).strip().rstrip("/")
    before = _BEFORE.match(text)
    doi = text[before.end() :] if before else text
    if not is_doi(doi):
        raise InvalidSpec(f"“{shown(text)}” is not a DOI.", advice=f"A DOI looks like {example}.")
    return doi


def is_doi(text: str) -> bool:
    """Whether `text` is a DOI as we write it."""
    if not _DOI.fullmatch(text) or len(text) > MAX_DOI_LENGTH:
        return False
    return not {"", ".", ".."} & set(text.split("/"))


def format_doi(doi: str) -> str:
    """The inverse of `parse_doi`."""
    return quote(doi, safe="/")


def prefix_of(doi: str) -> str:
    """Who registered it: `10.5281`."""
    return doi.partition("/")[0]


class _Value(Answer):
    type: str
    data: dict[str, Any]


class _Handle(Answer):
    values: list[_Value]


class DoiLookup:
    """Asks doi.org."""

    def __init__(self, *, url: str, api: JsonApi) -> None:
        self._url = url.rstrip("/")
        self._api = api

    def page(self, doi: str) -> str:
        """The address of a DOI, for people."""
        return f"{self._url}/{quote(doi, safe='/')}"

    async def fetch_target(self, doi: str) -> str:
        """The address that `doi` stands for. Raises `RepositoryNotFound`, `ProviderUnavailable`."""
        answer = await self._api.fetch(
            f"{self._url}/api/handles/{quote(doi, safe='/')}",
            _Handle,
            missing=f"There is no DOI {doi}.",
        )
        for value in answer.values:
            address = value.data.get("value")
            if value.type == "URL" and isinstance(address, str):
                return address
        raise RepositoryNotFound(f"The DOI {doi} leads to no address.")
