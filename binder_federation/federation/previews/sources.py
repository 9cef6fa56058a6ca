"""Where a file of a repository can be had, at the commit that a launch resolved.

GitHub's raw files cost nothing of its API's quota. A GitHub Enterprise host is asked
through its API, with the credentials of the settings.
https://docs.github.com/en/rest/repos/contents#get-repository-content
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from binder_federation.config.providers import ProviderSettings

GITHUB_RAW = "https://raw.githubusercontent.com"
GIST_RAW = "https://gist.githubusercontent.com"


@dataclass(frozen=True, slots=True)
class FileAddress:
    """Where a file is. `headers` may hold credentials: they go to `url`'s origin alone."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class FileSources:
    """Knows the addresses. `raw_url` replaces that of GitHub's raw files."""

    def __init__(self, providers: ProviderSettings, *, raw_url: str | None = None) -> None:
        self._github = providers.github
        self._gist_is_public = urlsplit(providers.gist.url).netloc == "gist.github.com"
        is_public = urlsplit(providers.github.url).netloc == "github.com"
        self._raw_url = (raw_url or (GITHUB_RAW if is_public else "")).rstrip("/")

    def address(self, provider: str, repository: str, commit: str, path: str) -> FileAddress | None:
        """Where the file `path` is, or None when there is no way to know."""
        escaped = quote(path, safe="/")
        match provider:
            case "gh" if self._raw_url:
                return FileAddress(f"{self._raw_url}/{repository}/{commit}/{escaped}")
            case "gh":
                api = self._github.api_url.rstrip("/")
                url = f"{api}/repos/{repository}/contents/{escaped}?ref={commit}"
                return FileAddress(url, self._api_headers())
            case "gist" if self._gist_is_public and "/" not in path:
                return FileAddress(f"{GIST_RAW}/{repository}/raw/{commit}/{escaped}")
            case _:
                return None

    def _api_headers(self) -> Mapping[str, str]:
        headers = {"Accept": "application/vnd.github.raw+json"}
        if self._github.token is not None:
            headers["Authorization"] = f"Bearer {self._github.token.get_secret_value()}"
        return headers
