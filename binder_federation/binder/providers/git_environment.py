"""The environment that git runs in: nothing of the machine's or a user's configuration.

What is left through is what reaches the network at all: certificates and, where
the caller says so, proxies.
"""

import os
from collections.abc import Mapping, Sequence

CERTIFICATE_VARIABLES = (
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
)
PROXY_VARIABLES = tuple(
    spelling
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for spelling in (name, name.upper())
)


def inherited(names: Sequence[str]) -> dict[str, str]:
    """Those of `names` that this process has."""
    return {name: os.environ[name] for name in names if name in os.environ}


def make_environment(source_environment: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of one git process: isolated, silent, in English."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        **inherited(("TMPDIR", *CERTIFICATE_VARIABLES)),
        "LC_ALL": "C",
        "HOME": "/nonexistent",
        "XDG_CONFIG_HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",  # empty ends the search for one: git fails at once, and asks nobody
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_ALLOW_PROTOCOL": "",  # none, until a source allows one
        **source_environment,
    }
