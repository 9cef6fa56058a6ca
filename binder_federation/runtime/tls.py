"""The authorities that certificates are checked against, read once for all clients.

Reading them takes 20 ms, and every httpx client would do it anew.
"""

import ssl
from functools import lru_cache

import httpx


@lru_cache(maxsize=1)
def known_authorities() -> ssl.SSLContext:
    """For `httpx.AsyncClient(verify=…)`: as httpx would have it, `SSL_CERT_FILE` included."""
    return httpx.create_ssl_context()
