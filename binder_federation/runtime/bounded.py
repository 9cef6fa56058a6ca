"""What comes from outside, made harmless where it comes in: JSON, numbers, text, URLs.

One place for the bounds that every boundary shares. JSON from outside may hold what is none:
`NaN` and `Infinity`, a number of 400 digits, 100,000 brackets, half of a surrogate pair. Python
reads all of these, and something breaks later, far from who sent it: arithmetic, a page, a
metric. So it is refused, or cleaned, at once.
"""

import json
import math
import re
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

MOST_DIGITS = 18
"""Of a whole number: it fits 64 bits, a float and a Redis counter."""
MOST_DEPTH = 32
CLOCK_SECONDS = 60.0

MOST_SESSIONS = 1_000_000
"""At one member, and far more than any has."""

Count = Annotated[int, Field(ge=0, le=MOST_SESSIONS)]
"""Sessions, builds, nodes: of one member."""
Sequence = Annotated[int, Field(ge=0, le=2**53)]
ByteCount = Annotated[int, Field(ge=0, le=10**15)]
"""Up to a petabyte."""
Duration = Annotated[float, Field(gt=0, le=1e7, allow_inf_nan=False)]
"""Seconds, up to some months."""
Epoch = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
"""Seconds since 1970, up to the year 5138."""

_NO_TEXT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
"""Control characters but tab and newline, those that turn the direction of text, and halves of
surrogate pairs, which no encoding takes."""
_REPLACED_BY = "\N{REPLACEMENT CHARACTER}"


def clean_text(text: str, most: int) -> str:
    """`text` with what is no text replaced, and cut to `most` characters."""
    return _NO_TEXT.sub(_REPLACED_BY, text[:most])


def clean_line(text: str, most: int) -> str:
    """The same on one line: each run of white space is one space."""
    return " ".join(clean_text(text[: 4 * most], 4 * most).split())[:most]


def is_plain_text(text: str) -> bool:
    """Whether there is nothing to clean, and no line break."""
    return _NO_TEXT.search(text) is None and "\n" not in text and "\t" not in text


def _plain(text: str) -> str:
    if not is_plain_text(text):
        raise ValueError("has control characters or line breaks, which a name cannot have")
    return text


def _cleaned(text: str) -> str:
    return clean_text(text, len(text))


_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_-]{1,63})*\.?"
)
_PATH = re.compile(r"(?:/[A-Za-z0-9._~%+@:-]*)*")
MOST_URL = 500


def read_web_url(text: str, *, most: int = MOST_URL) -> str:
    """The URL put together again from its parts, without a trailing `/`.

    Raises ValueError unless it is http or https, with a host name or an address, perhaps a port
    and a path: no user, no query, no fragment, and nothing that has a meaning elsewhere (in a
    Content-Security-Policy, in a header, in a page).
    """
    if len(text) > most:
        raise ValueError(f"is longer than {most} characters")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("has characters that no address has")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https"):
        raise ValueError("must be a URL that begins with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not name a user")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise ValueError("must be without a query and a fragment")
    if not _PATH.fullmatch(parts.path):
        raise ValueError("has a path with characters that are none for a member")
    port = parts.port  # ValueError unless it is a number up to 65535
    host = _read_host(parts.hostname or "")
    return f"{parts.scheme}://{host}{'' if port is None else f':{port}'}{parts.path}".rstrip("/")


def read_origin(text: str) -> str:
    """Scheme, host and port of `read_web_url`, for a policy. Raises ValueError as that does."""
    parts = urlsplit(read_web_url(text))
    return f"{parts.scheme}://{parts.netloc}"


def _read_host(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        if not _HOST_NAME.fullmatch(host):
            raise ValueError("has no host name or address") from None
        return host.lower()
    return f"[{address}]" if address.version == 6 else str(address)


PlainText = Annotated[str, AfterValidator(_plain)]
"""A name or key: what is no text is refused, since another name would be another thing."""
CleanText = Annotated[str, AfterValidator(_cleaned)]
"""Words for people: what is no text is replaced. Give it a `max_length`."""


def read_json(text: bytes | str) -> Any:
    """The JSON value in `text`. Raises ValueError for what is no JSON, or none that we take.

    Numbers are finite, whole ones have at most 18 digits, and nesting is at most 32 deep.
    """
    try:
        value = json.loads(
            text, parse_constant=_refuse_constant, parse_int=_read_int, parse_float=_read_float
        )
    except RecursionError as error:
        raise ValueError("the JSON is nested too deeply") from error
    if _is_deeper(value, MOST_DEPTH):
        raise ValueError("the JSON is nested too deeply")
    return value


def read_time(value: object, *, now: float) -> float:
    """A moment in seconds since 1970 that has been. Raises ValueError for any other value.

    Clocks of replicas differ a little; what is from the future would be the newest for ever.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a time is a number")
    if not 0.0 <= value <= now + CLOCK_SECONDS:
        raise ValueError("a time is in the future, or none")
    return float(value)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _read_int(digits: str) -> int:
    if len(digits) > MOST_DIGITS + digits.startswith("-"):
        raise ValueError(f"a whole number has more than {MOST_DIGITS} digits")
    return int(digits)


def _read_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _is_deeper(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        following: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                following += each.values()
            elif isinstance(each, list):
                following += each
        if not following:
            return False
        level = following
    return any(isinstance(each, dict | list) for each in level)
