"""Addresses that BinderHub serves and that pages elsewhere point at, and what stands there now.

From the routes and static files of jupyterhub/binderhub. Badges are answered as they are,
because some places that show pictures follow no redirect.
"""

from collections.abc import Mapping

BADGES: Mapping[str, bool] = {
    "/badge.svg": False,
    "/assets/images/badge.svg": False,
    "/static/images/badge.svg": False,
    "/badge_logo.svg": True,
    "/static/images/badge_logo.svg": True,
}
"""Where a badge is, and whether it has the logo."""

MOVED: Mapping[str, str] = {
    "/favicon.ico": "/favicon.svg",
    "/favicon_building.ico": "/favicon-building.svg",
    "/favicon_success.ico": "/favicon-ready.svg",
    "/favicon_fail.ico": "/favicon-failed.svg",
    "/static/favicon.ico": "/favicon.svg",
    "/static/images/favicon.ico": "/favicon.svg",
    "/static/images/favicon_building.ico": "/favicon-building.svg",
    "/static/images/favicon/success.ico": "/favicon-ready.svg",
    "/static/images/favicon/fail.ico": "/favicon-failed.svg",
    "/static/images/favicon/building.ico": "/favicon-building.svg",
    "/static/logo.svg": "/logo.svg",
    "/static/images/logo_social.png": "/logo_social.png",
    "/static/images/logo_square.png": "/logo.svg",
    "/about/": "/about",
}
"""Where something was, and where it is."""
