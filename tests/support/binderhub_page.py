"""The launch page of the imitated BinderHub, and the build token that it carries.

After binderhub/main.py (`RepoLaunchUIHandler`), base.py (`token_origin`, `check_build_token`)
and the pages of the present frontend and of the one before it.
"""

import json
import time
from urllib.parse import urlsplit

import jwt
from aiohttp import web


def _origin(request: web.Request) -> str:
    origin = request.headers.get("Origin")
    return request.headers.get("Host", "") if origin is None else urlsplit(origin).netloc


def make_token(request: web.Request, path: str, *, secret: str, lifetime_seconds: int) -> str:
    """The token for `<provider>/<spec>`, as in the URL."""
    expires_at = int(time.time()) + lifetime_seconds
    claims = {"exp": expires_at, "aud": path, "origin": _origin(request)}
    return jwt.encode(claims, key=secret, algorithm="HS256")


def is_valid(request: web.Request, path: str, *, secret: str) -> bool:
    """Whether the request's `build_token` lets it launch `path`."""
    token = request.query["build_token"]
    try:
        claims = jwt.decode(token, key=secret, audience=path, algorithms=["HS256"])
    except jwt.PyJWTError:
        return False
    return bool(claims["origin"] == _origin(request))


def make_page(token: str, *, is_old: bool) -> str:
    """The page of a launch link."""
    if is_old:
        head = f'''<meta id="base-url" data-url="/">
<meta id="build-token" data-token="{token}">'''
    else:
        config = {"baseUrl": "/", "bannerHtml": "", "binderVersion": "1.0.0", "buildToken": token}
        head = f"<script>window.pageConfig = {json.dumps(config)}</script>"
    return f'<!DOCTYPE html><html><head>{head}</head><body><div id="root"></div></body></html>'
