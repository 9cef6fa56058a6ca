"""An event of a member's stream, as something that can be relied on.

A member may send anything. Its events become text that is clean and bounded, and scalars of the
types that the fields have; what has another type is that member's failure, for the field is
looked at later to judge a launch. Fields that nobody knows are passed on, and left out if they are
nested deeply. What visitors get is made from this, so it is JSON, whatever came in.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from binder_federation.binder.events import Event, Phase, phase_of
from binder_federation.runtime.bounded import clean_text, read_json

MOST_FIELDS = 60
MOST_NAME = 64
MOST_TEXT = 8192
MOST_URL = 2048

_Types = tuple[type, ...]
_TEXT: _Types = (str,)
_KNOWN: Mapping[str, _Types] = {
    "code": _TEXT,
    "fault": _TEXT,
    "advice": _TEXT,
    "url": _TEXT,
    "token": _TEXT,
    "image": _TEXT,
    "imageName": _TEXT,
    "repo_url": _TEXT,
    "binder_ref_url": _TEXT,
    "binder_launch_host": _TEXT,
    "binder_request": _TEXT,
    "binder_persistent_request": _TEXT,
    "status_code": (int,),
    "retry_after_seconds": (int, float),
    "retryable": (bool,),
    "warm": (bool,),
}
"""What members' events have that somebody looks at; each may also be null."""
_CODE = re.compile(r"[a-z0-9_]{0,64}", re.ASCII)
_URL = re.compile(r"[!-~]+", re.ASCII)


def read_member_event(text: str) -> Event:
    """The event in a `data:` text. Raises ValueError for what cannot be relied on."""
    body = read_json(text)
    if not isinstance(body, dict):
        raise ValueError("an event is a JSON object")
    phase, message = body.pop("phase", Phase.UNKNOWN.value), body.pop("message", "")
    if not isinstance(phase, str):
        raise ValueError("phase is a text")
    if message is not None and not isinstance(message, str | int | float):
        raise ValueError("message is a text")
    if len(body) > MOST_FIELDS:
        raise ValueError(f"an event has more than {MOST_FIELDS} fields")
    said = "" if message is None else str(message)
    return Event(phase_of(phase), clean_text(said, len(said)), _fields(body))


def check_ready(event: Event) -> None:
    """Raises ValueError unless the event leads to a server: it has its http(s) URL and a token."""
    url, token = event.fields.get("url"), event.fields.get("token", "")
    if not isinstance(url, str) or not _is_web_address(url):
        raise ValueError("ready has no http or https URL of a server")
    if not isinstance(token, str):
        raise ValueError("token is a text")


def _fields(body: Mapping[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in body.items():
        types = _KNOWN.get(name)
        if types is not None and value is not None:
            is_bool = isinstance(value, bool)
            if not isinstance(value, types) or (is_bool and bool not in types):
                raise ValueError(f"{name} is a {types[0].__name__}")
        if isinstance(value, str):
            fields[clean_text(name, MOST_NAME)] = clean_text(value, MOST_TEXT)
        elif value is None or isinstance(value, bool | int | float) or not _is_deep(value):
            fields[clean_text(name, MOST_NAME)] = value
    code = fields.get("code")
    if code is not None and not _CODE.fullmatch(code):
        raise ValueError("code is a word")
    return fields


def _is_deep(value: dict[str, Any] | list[Any]) -> bool:
    """BinderHub tells the progress of a push as `{layer: {"current": …, "total": …}}`."""
    inner = value.values() if isinstance(value, dict) else value
    return any(
        isinstance(leaf, dict | list)
        for each in inner
        if isinstance(each, dict | list)
        for leaf in (each.values() if isinstance(each, dict) else each)
    )


def _is_web_address(url: str) -> bool:
    if len(url) > MOST_URL or not _URL.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    is_http = parts.scheme in ("http", "https")
    return is_http and bool(parts.hostname) and parts.username is None and "\\" not in url
