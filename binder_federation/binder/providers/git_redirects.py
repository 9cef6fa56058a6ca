"""Where a repository's host redirects git to, asked before git is.

The request is the one that git begins with (smart HTTP's `info/refs`), sent to an
address that was checked; redirects are reported, not followed.
https://git-scm.com/docs/http-protocol#_smart_clients
"""

from collections.abc import Sequence
from ipaddress import IPv6Address
from urllib.parse import urljoin

import httpx

from binder_federation.binder.errors import RepositoryNotFound
from binder_federation.binder.providers.addresses import Address
from binder_federation.binder.providers.git_urls import GitUrl

MOST_HOPS = 5
_QUESTION = "/info/refs?service=git-upload-pack"
_HEADERS = {
    "User-Agent": "git/2.39 (binder-federation)",  # some hosts answer pages to who is not git
    "Accept": "*/*",
    "Git-Protocol": "version=2",  # the answer is short: no list of refs
}


async def fetch_redirect(
    client: httpx.AsyncClient, url: GitUrl, addresses: Sequence[Address] | None
) -> str | None:
    """The URL of the repository that `url` redirects to; None when it does not.

    Raises `RepositoryNotFound` when it leads to something that is no repository. When
    nobody answers it is None too: git will meet that, and follows no redirect itself.
    The caller sets the deadline.
    """
    for host in _hosts_to_ask(url, addresses):
        try:
            request = client.build_request(
                "GET",
                f"{url.protocol}://{host}:{url.effective_port}{url.path}{_QUESTION}",
                headers={**_HEADERS, "Host": url.network_location},
                extensions={"sni_hostname": url.host},
            )
            # Only the head of the answer is read.
            response = await client.send(request, stream=True, follow_redirects=False)
        except (httpx.TransportError, httpx.InvalidURL):
            continue
        await response.aclose()
        return _target(url, response)
    return None


def _hosts_to_ask(url: GitUrl, addresses: Sequence[Address] | None) -> list[str]:
    if addresses is None:
        return [f"[{url.host}]" if ":" in url.host else url.host]
    return [f"[{it}]" if isinstance(it, IPv6Address) else str(it) for it in addresses]


def _target(url: GitUrl, response: httpx.Response) -> str | None:
    if response.status_code not in (301, 302, 303, 307, 308):
        return None
    try:
        location = urljoin(f"{url.text}{_QUESTION}", str(response.headers.get("Location", "")))
    except ValueError:
        location = ""
    if not location.endswith(_QUESTION):  # a login page, most often
        raise RepositoryNotFound(f"There is no public repository at {url.text}.")
    return location.removesuffix(_QUESTION)
