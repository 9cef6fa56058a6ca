"""One name for one repository: a git URL of a known host is that of the host's own provider.

`git/https://github.com/owner/name`, `git/http://www.github.com/owner/name.git`,
`git/git@github.com:owner/name` and `git/ssh://git@github.com/owner/name` are all `gh/owner/name`.
So a ban, a quota and an image of one is that of the others. Only hosts whose paths are known to
name repositories are here; a host of an institution's own is what its URL says.
"""

import re
from functools import lru_cache

_URL = re.compile(
    r"(?:(?:https?|git|ssh)://)?(?:[^@/:]*@)?(?P<host>[a-z0-9.-]+)(?::[0-9]+)?[:/]+(?P<path>.+)"
)
_TWO = re.compile(r"[^/]+/[^/]+")
_ANY = re.compile(r"[^/]+(?:/[^/]+)+")
_HOSTS = {
    "github.com": ("gh", _TWO),
    "ssh.github.com": ("gh", _TWO),
    "gitlab.com": ("gl", _ANY),
    "altssh.gitlab.com": ("gl", _ANY),
    "bitbucket.org": ("bitbucket", _TWO),
    "altssh.bitbucket.org": ("bitbucket", _TWO),
    "gist.github.com": ("gist", _TWO),
}


@lru_cache(maxsize=16_384)
def provider_of(provider: str, repository: str) -> tuple[str, str]:
    """The provider and the repository that these are, in lower case, without `.git` at the end."""
    name = _trimmed(repository.casefold())
    if provider != "git":
        return provider, name
    match = _URL.fullmatch(name)
    if match is None:
        return provider, name
    known = _HOSTS.get(match["host"].removeprefix("www.").rstrip("."))
    path = _trimmed(match["path"].strip("/"))
    if known is None or not known[1].fullmatch(path):
        return provider, name
    return known[0], path


def _trimmed(name: str) -> str:
    return name.rstrip("/").removesuffix(".git").rstrip("/")
