"""URLs of git repositories: read strictly, written in one canonical form.

What one program reads as a host and another as a path is how rules are walked
around, so nothing ambiguous gets through: no user:password, no odd spelling of an
address, no `..`, no control character, also not behind a percent-encoding. Two
spellings of one repository give the same text.
"""

import ipaddress
import posixpath
import re
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote

import httpx

from binder_federation.binder.errors import InvalidSpec
from binder_federation.binder.providers.text import shown

DEFAULT_PORTS = {"http": 80, "https": 443, "ssh": 22, "git": 9418}
_ALIASES = {"git+ssh": "ssh", "ssh+git": "ssh", "git+https": "https", "git+http": "http"}

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_REMOTE_HELPER = re.compile(r"[A-Za-z0-9+.-]*::")
_AUTHORITY = re.compile(
    r"(?:(?P<user>[^@]*)@)?(?P<host>\[[^\]]*\]|[^:\[\]@]*)(?::(?P<port>\d{0,5}))?"
)
_SCP = re.compile(r"(?:(?P<user>[^@:/]+)@)?(?P<host>[^@:/\[\]]+):(?P<path>[^:].*)", re.DOTALL)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"\d+|0x[0-9a-f]*")
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

_ADVICE = (
    "Give the URL that git clone takes, percent-encoded: "
    "/v2/git/https%3A%2F%2Fexample.org%2Frepository/HEAD."
)


@dataclass(frozen=True, slots=True)
class GitUrl:
    """Where a repository is. `host` is lower-case ASCII, `path` percent-encoded."""

    protocol: str
    host: str
    path: str
    user: str = ""
    port: int | None = None
    """None for the protocol's own."""
    is_scp: bool = False
    """Written as `user@host:path`, where the path is relative to the user's home."""

    @property
    def text(self) -> str:
        """The canonical text."""
        user = f"{self.user}@" if self.user else ""
        if self.is_scp:
            return f"{user}{self.host}:{self.path}"
        return f"{self.protocol}://{user}{self.network_location}{self.path}"

    @property
    def network_location(self) -> str:
        """`host` or `host:port`, as in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def effective_port(self) -> int:
        """The port that is connected to."""
        return DEFAULT_PORTS[self.protocol] if self.port is None else self.port

    @property
    def is_address(self) -> bool:
        """The host is an address, not a name."""
        return ":" in self.host or self.host.replace(".", "").isdigit()

    def is_within(self, prefix: "GitUrl") -> bool:
        """Whether this is `prefix` itself or below it, whole path segments compared."""
        if _place(self) != _place(prefix):
            return False
        if self.protocol != "file" and _hides_separators(self.path):
            return False
        base = prefix.path.rstrip("/")
        return self.path == base or self.path.startswith(f"{base}/")


def parse_git_url(text: str) -> GitUrl:
    """The URL in `text`: http(s), git, ssh, file, `user@host:path` or an absolute local path.

    Raises `InvalidSpec` with a sentence about what is wrong with it.
    """
    _refuse_unsafe(text)
    if text.startswith("/"):
        return _file_url("", text)
    if (match := _SCHEME.fullmatch(text)) is not None:
        return _url(match[1].lower(), match[2])
    if (match := _SCP.fullmatch(text)) is not None:
        return _scp_url(match["user"] or "", match["host"], match["path"])
    raise _invalid(f"“{shown(text)}” is not the URL of a git repository.")


def parse_git_prefix(text: str) -> GitUrl:
    """Like `parse_git_url`, for everything below a URL: its path may be empty."""
    below = parse_git_url(f"{text.rstrip('/')}/x")
    return replace(below, path=below.path.removesuffix("/x"))


def _refuse_unsafe(text: str) -> None:
    if text.startswith("-"):
        raise _invalid("A repository's URL cannot begin with “-”.")
    if _REMOTE_HELPER.match(text):
        raise _invalid("The repository's URL is of a kind that is never fetched here.")
    try:
        plain = unquote(text, errors="strict")
    except UnicodeError as error:
        raise _invalid("The repository's URL holds bytes that are not text.") from error
    if (
        not text.isprintable()
        or "\\" in plain
        or any(ord(c) < 0x20 or ord(c) == 0x7F for c in plain)
    ):
        raise _invalid("The repository's URL holds a character that no URL can have.")


def _url(scheme: str, rest: str) -> GitUrl:
    protocol = _ALIASES.get(scheme, scheme)
    if protocol not in DEFAULT_PORTS and protocol != "file":
        raise _invalid(f"git cannot fetch from “{shown(scheme, 20)}://” here.")
    if "?" in rest or "#" in rest:
        raise _invalid("A repository's URL has no “?” and no “#”.")
    authority, slash, path = rest.partition("/")
    if protocol == "file":
        return _file_url(authority, slash + path)
    match = _AUTHORITY.fullmatch(authority)
    if ":" in authority.rpartition("@")[0]:
        raise InvalidSpec(
            "The repository's URL carries a password: credentials do not belong in links.",
            advice="Change that password now, since the link may have been seen. "
            "Private repositories cannot be launched here.",
        )
    if match is None:
        raise _invalid("The host in the repository's URL cannot be read.")
    return GitUrl(
        protocol=protocol,
        host=_canonical_host(match["host"]),
        path=_canonical_path(slash + path),
        user=_canonical_user(protocol, match["user"] or ""),
        port=_canonical_port(protocol, match["port"] or ""),
    )


def _scp_url(user: str, host: str, path: str) -> GitUrl:
    # Without a user and a dot it could be anything with a colon in it, `javascript:` included.
    if not user and "." not in host:
        raise _invalid(f"“{shown(f'{host}:{path}')}” is not the URL of a git repository.")
    if path.startswith("-") or {".", ".."} & set(path.split("/")):
        raise _invalid("The path in the repository's URL cannot be read.")
    return GitUrl("ssh", _canonical_host(host), path, _canonical_user("ssh", user), is_scp=True)


def _file_url(authority: str, path: str) -> GitUrl:
    if authority.lower() not in ("", "localhost"):
        raise _invalid("A file:// URL names no host.")
    plain = posixpath.normpath("/" + unquote(path, errors="strict").lstrip("/")) if path else "/"
    if plain == "/":
        raise _invalid("The repository's URL names no repository.")
    return GitUrl("file", "", quote(plain))


def _canonical_user(protocol: str, user: str) -> str:
    if user and not _USER.fullmatch(user):
        raise _invalid("The user in the repository's URL cannot be read.")
    # Some hosts show clone URLs with a user's name; over HTTP it means nothing without a password.
    return user if protocol == "ssh" else ""


def _canonical_port(protocol: str, digits: str) -> int | None:
    if not digits:
        return None
    port = int(digits)
    if not 1 <= port <= 65535:
        raise _invalid("The port in the repository's URL is not one.")
    return None if port == DEFAULT_PORTS[protocol] else port


def _canonical_host(text: str) -> str:
    """Lower-case ASCII (IDNA for other alphabets) without a trailing dot; addresses only as
    everybody writes them."""
    try:
        if text.startswith("[") and "%" not in text:  # no zone: it names an interface of ours
            return str(ipaddress.IPv6Address(text[1:-1]))
        host = text.encode("idna").decode().lower().removesuffix(".")
        if "xn--" in host:  # Python reads names by older rules than who asks them does
            httpx.URL(f"https://{host}").host  # noqa: B018 - raises, if it cannot be read
    except (ValueError, httpx.InvalidURL) as error:
        raise _invalid("The host in the repository's URL cannot be read.") from error
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _invalid("The host in the repository's URL cannot be read.")
    if _NUMBER.fullmatch(labels[-1]):  # an IPv4 address in some spelling; WHATWG URL, 3.5
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError as error:
            raise _invalid("The address in the repository's URL is spelt unusually.") from error
    return host


def _canonical_path(path: str) -> str:
    """Unreserved characters plain, all others encoded, no dot segments (RFC 3986, 6.2.2)."""
    whole = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", path)
    encoded = quote(_ENCODED.sub(_decode_unreserved, whole), safe="/%:@!$&'()*+,;=~")
    kept: list[str] = []
    for segment in encoded.split("/"):
        if segment == "..":
            kept = kept[:-1]
        elif segment not in ("", "."):
            kept.append(segment)
    if not kept:
        raise _invalid("The repository's URL names no repository.")
    return "/" + "/".join(kept)


def _decode_unreserved(match: re.Match[str]) -> str:
    char = chr(int(match[1], 16))
    return char if char in _UNRESERVED else f"%{match[1].upper()}"


def _place(url: GitUrl) -> tuple[str, str, str, int | None, bool]:
    return url.protocol, url.user, url.host, url.port, url.is_scp


def _hides_separators(path: str) -> bool:
    """An encoded slash or percent sign could be a path separator to whoever serves it."""
    plain = path.upper()
    return "%2F" in plain or "%25" in plain


def _invalid(message: str) -> InvalidSpec:
    return InvalidSpec(message, advice=_ADVICE)
