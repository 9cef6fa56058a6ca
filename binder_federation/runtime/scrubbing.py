"""Takes secrets out of log lines, whatever their format: by name, by look, and by value.

A field whose name says that it is secret is replaced whole. In every text (also nested, also
an exception's) whatever looks like a token, a credential in a URL or a header is replaced, and
so is each secret of this process's own settings, wherever it comes up. Numbers and flags stay:
`has_token: true` tells nothing.

Pure; `logs.py` runs it after every other processor that makes text.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, SecretStr

HIDDEN = "[secret]"
LEAST_SECRET = 8
"""A shorter secret would take common words out of every line."""
MOST_DEPTH = 6
REMEMBERED = 1024
MOST_CHARACTERS = 32_768

_TELLING_WORDS = (
    r"(?:token|credential|authori[sz]ation|passwor[dt]|passwd|passphrase|secret|cookie|jwt"
    r"|(?:api|private|signing|joining)[_-]?key)"
)
_TELLING_NAME = re.compile(rf"{_TELLING_WORDS}|(^|_)(auth|pat)$", re.IGNORECASE)
_NAMES = rf"[\w.-]{{0,40}}{_TELLING_WORDS}[\w.-]{{0,40}}"
_KEEPS_THE_BEGINNING = (
    # user:password@ of a URL, as git's remotes and Redis' addresses have it
    re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://)[^\s/@'\"]+(?=@)", re.IGNORECASE),
    # "token": "…" and 'token': '…', of JSON and of Python
    re.compile(rf"([\"']{_NAMES}[\"']\s*:\s*b?[\"'])[^\"']+", re.IGNORECASE),
    # token=… of URLs, forms and our own words
    re.compile(rf"(\b{_NAMES}=[\"']?)[^&\s\"';,)]+", re.IGNORECASE),
    # Authorization: Bearer …, Cookie: a=…; b=…
    re.compile(
        r"(\b(?:proxy-)?authorization[\"']?\s*[:=,]\s*[\"']?(?:(?:bearer|basic|token)\s+)?)"
        r"[^\s\"',;]+",
        re.IGNORECASE,
    ),
    re.compile(r"(\b(?:set-)?cookie:\s*)[^\r\n\"]+", re.IGNORECASE),
    re.compile(r"(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
    re.compile(r"(\btoken\s+)(?=[A-Za-z_-]*[0-9])[A-Za-z0-9._~+/=-]{16,}", re.IGNORECASE),
)
_IS_A_SECRET = re.compile(
    r"\bbfi_[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"  # an invitation
    r"|\beyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?"  # a JWT
    r"|\bgh[opsur]_[A-Za-z0-9]{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)

_HINT = re.compile(
    r"[=@\s\"']|bfi_|eyJ|gh[opsur]_|github_pat_|glpat-|-----BEGIN|authori", re.IGNORECASE
)
"""Without one of these a text has nothing to scrub but a secret that is known."""


class Scrubber:
    """Scrubs what one process logs. `secrets` are texts that must not come up anywhere."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._known = KnownSecrets(secrets)
        self._is_telling = lru_cache(maxsize=REMEMBERED)(_TELLING_NAME.search)

    def __call__(self, _logger: object, _method: str, fields: Any) -> dict[str, Any]:
        """Be structlog's processor."""
        return self.fields(fields)

    def fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The same fields without their secrets."""
        return {str(name): self._field(str(name), value, 0) for name, value in fields.items()}

    def text(self, text: str) -> str:
        """The same text without its secrets; what is very long is cut."""
        if len(text) > MOST_CHARACTERS:
            text = f"{text[:MOST_CHARACTERS]} [cut]"
        text = self._known.hide(text)
        if _HINT.search(text) is None:
            return text
        text = _IS_A_SECRET.sub(HIDDEN, text)
        for pattern in _KEEPS_THE_BEGINNING:
            text = pattern.sub(rf"\g<1>{HIDDEN}", text)
        return text

    def _field(self, name: str, value: Any, depth: int) -> Any:
        if name.startswith("_") and depth == 0:  # structlog's own, never written
            return value
        if self._is_telling(name) and _tells_something(value):
            return HIDDEN
        return self._value(value, depth)

    def _value(self, value: Any, depth: int) -> Any:
        match value:
            case None | bool() | int() | float():
                return value
            case str():
                return self.text(value)
            case _ if depth >= MOST_DEPTH:
                return self.text(repr(value))
            case Mapping():
                return {
                    self.text(str(key)): self._field(str(key), each, depth + 1)
                    for key, each in value.items()
                }
            case list() | tuple() | set() | frozenset():
                return [self._value(each, depth + 1) for each in value]
            case bytes():
                return self.text(value.decode("utf-8", "replace"))
            case _:
                return self.text(str(value) if isinstance(value, Exception) else repr(value))


class KnownSecrets:
    """Texts that must not come up. A federation has one for each member, so a text is looked
    through once, whatever their number: by the first characters of each."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._by_beginning: dict[str, list[str]] = {}
        for each in sorted(set(secrets), key=len, reverse=True):
            if len(each) >= LEAST_SECRET:
                self._by_beginning.setdefault(each[:LEAST_SECRET], []).append(each)

    def hide(self, text: str) -> str:
        """The text without them."""
        if not self._by_beginning:
            return text
        at = 0
        while at <= len(text) - LEAST_SECRET:
            for secret in self._by_beginning.get(text[at : at + LEAST_SECRET], ()):
                if text.startswith(secret, at):
                    text = f"{text[:at]}{HIDDEN}{text[at + len(secret) :]}"
                    at += len(HIDDEN) - 1
                    break
            at += 1
        return text


def _tells_something(value: Any) -> bool:
    return not (value is None or isinstance(value, bool | int | float) or value == "")


def find_secrets(settings: BaseModel) -> frozenset[str]:
    """All texts that the settings hold as secrets, nested ones too."""
    found: set[str] = set()
    _collect(settings, found)
    return frozenset(found)


def _collect(value: Any, found: set[str]) -> None:
    match value:
        case SecretStr():
            found.add(value.get_secret_value())
        case BaseModel():
            for name in type(value).model_fields:
                _collect(getattr(value, name), found)
        case Mapping():
            for each in value.values():
                _collect(each, found)
        case list() | tuple() | set() | frozenset():
            for each in value:
                _collect(each, found)
        case _:
            pass
