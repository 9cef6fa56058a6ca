"""The cookie by which a visitor who launches a link again comes back to the same member.

Only redirect mode sets it: there the federation sees nothing of a launch, and a page's stream
that was cut comes back as a new request. It names the member, for one launch path, and means what
`prefer=` means (docs/decisions/0020-the-sticky-cookie.md). In stream mode the page remembers.

Format: https://www.rfc-editor.org/rfc/rfc6265#section-4.1
"""

import re
from urllib.parse import urlsplit

NAME = "binderfed-member"

_GIVEN = re.compile(rf"(?:^|;)[ \t]*{NAME}=([a-z0-9-]{{1,63}})[ \t]*(?:;|$)")
_PATH = re.compile(r"/[A-Za-z0-9/%._~!$&'()*+=:@-]{0,1000}")
"""What a cookie's path may hold: a `;` would begin its next attribute."""
_LONGEST_HEADER = 8192


def read_member(cookie_header: str) -> str:
    """The member that a request's `Cookie` names, or ""."""
    match = _GIVEN.search(cookie_header[:_LONGEST_HEADER])
    return match[1] if match else ""


def write_member(member: str, *, launch_host: str, path: str, seconds: int) -> str:
    """A `Set-Cookie` that names `member` for `path`; "" for a path that no cookie can have.

    `launch_host` is the federation's public URL, `path` is below it. Over https, pages of other
    sites get it too, each site its own (`Partitioned`); without https no browser would allow that.
    """
    public = urlsplit(launch_host)
    whole_path = f"{public.path.rstrip('/')}/{path}"
    if not _PATH.fullmatch(whole_path):
        return ""
    sites = "SameSite=None; Secure; Partitioned" if public.scheme == "https" else "SameSite=Lax"
    return f"{NAME}={member}; Path={whole_path}; Max-Age={seconds}; HttpOnly; {sites}"
