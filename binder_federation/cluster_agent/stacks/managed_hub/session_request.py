"""What the agent asks of the hub for one session, checked before anything is started.

`user_options` are BinderHub's: `image`, `token`, `repo_url` and the `binder_*`
values, which the session sees as `BINDER_*` variables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MAX_LENGTH = 8192
_VARIABLES = {
    "repo_url": "BINDER_REPO_URL",
    "binder_ref_url": "BINDER_REF_URL",
    "binder_launch_host": "BINDER_LAUNCH_HOST",
    "binder_request": "BINDER_REQUEST",
    "binder_persistent_request": "BINDER_PERSISTENT_REQUEST",
    "binder_client_ip": "BINDER_CLIENT_IP",
}


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """One session: which image, its server's token, and the visitor's request."""

    image: str
    token: str
    variables: Mapping[str, str]


def read_session_request(options: Mapping[str, Any]) -> SessionRequest:
    """The request in `user_options`; ValueError with a sentence when it is not one."""
    token = _text(options, "token")
    if len(token) < 8:
        raise ValueError("The server's token is missing or too short.")
    variables = {name: _text(options, option) for option, name in _VARIABLES.items()}
    return SessionRequest(
        image=_text(options, "image"),
        token=token,
        variables={name: value for name, value in variables.items() if value},
    )


def _text(options: Mapping[str, Any], name: str) -> str:
    value = options.get(name) or ""
    if not isinstance(value, str) or len(value) > _MAX_LENGTH or "\0" in value:
        raise ValueError(f"The option {name!r} is not a short text.")
    return value
