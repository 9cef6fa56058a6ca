"""What variables a tool, the hub or a session is started with: a list, never ours as a whole.

The agent's environment holds its credential; a repository's code must not see it.
So everything that is started gets the few variables that make tools work here
(paths, language, certificates, proxies, package indexes) and nothing else.
"""

import os
from collections.abc import Mapping
from pathlib import Path

_ALWAYS = frozenset(
    {
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "TZ",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
        "GIT_SSL_CAINFO",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
        "PIP_CERT",
        "PIP_CONFIG_FILE",
        "PIP_DEFAULT_TIMEOUT",
        "PIP_DISABLE_PIP_VERSION_CHECK",
        "PIP_EXTRA_INDEX_URL",
        "PIP_FIND_LINKS",
        "PIP_INDEX_URL",
        "PIP_NO_INDEX",
        "PIP_TRUSTED_HOST",
        "UV_CONFIG_FILE",
        "UV_DEFAULT_INDEX",
        "UV_EXTRA_INDEX_URL",
        "UV_FIND_LINKS",
        "UV_HTTP_TIMEOUT",
        "UV_INDEX",
        "UV_INDEX_STRATEGY",
        "UV_INDEX_URL",
        "UV_INSECURE_HOST",
        "UV_NATIVE_TLS",
        "UV_NO_INDEX",
        "UV_OFFLINE",
        "UV_SYSTEM_CERTS",
    }
)
_TOOL_STATE = ("UV_CACHE_DIR", "UV_PYTHON_INSTALL_DIR", "UV_PYTHON_PREFERENCE")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def session_variables(
    inherited: Mapping[str, str], *, home: Path, temporary: Path
) -> dict[str, str]:
    """What a session, or a repository's own code, is started with."""
    kept = {
        name: value
        for name, value in inherited.items()
        if name in _ALWAYS or name.upper() in {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"}
    }
    kept.setdefault("LANG", "C.UTF-8")
    return {
        **_user_configuration(inherited),
        **kept,
        "PATH": inherited.get("PATH", _SYSTEM_PATH),
        "HOME": str(home),
        "TMPDIR": str(temporary),
    }


def tool_variables(inherited: Mapping[str, str], *, home: Path, temporary: Path) -> dict[str, str]:
    """What uv and git are started with: uv's cache stays where this user's is."""
    cache_home = inherited.get("XDG_CACHE_HOME") or str(_own_home(inherited) / ".cache")
    state = {name: inherited[name] for name in _TOOL_STATE if name in inherited}
    data_home = inherited.get("XDG_DATA_HOME") or str(_own_home(inherited) / ".local/share")
    return {
        "UV_CACHE_DIR": f"{cache_home}/uv",
        "UV_PYTHON_INSTALL_DIR": f"{data_home}/uv/python",
        **session_variables(inherited, home=home, temporary=temporary),
        **state,
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
    }


def _user_configuration(inherited: Mapping[str, str]) -> dict[str, str]:
    """The user's own pip and uv settings, which a moved HOME would hide: indexes, certificates."""
    config_home = Path(inherited.get("XDG_CONFIG_HOME") or _own_home(inherited) / ".config")
    files = {"PIP_CONFIG_FILE": "pip/pip.conf", "UV_CONFIG_FILE": "uv/uv.toml"}
    found = {name: config_home / file for name, file in files.items()}
    return {name: str(path) for name, path in found.items() if path.is_file()}


def _own_home(inherited: Mapping[str, str]) -> Path:
    return Path(inherited.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111 - no pwd entry is fine
