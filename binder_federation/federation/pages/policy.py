"""The Content-Security-Policy of the pages: what they may load, and from where.

Scripts and styles come from us alone, none stands in a page itself. An operator's extra
scripts widen it by their origins: they may be loaded from there, and send there what they
count.
"""

from collections.abc import Iterable, Sequence

from binder_federation.config.pages import ExtraScript


def content_security_policy(
    connect_to: Sequence[str] = (), scripts: Sequence[ExtraScript] = ()
) -> str:
    """What pages may load. Our scripts may also connect to the origins `connect_to`."""
    sources = _unique(script.origin for script in scripts)
    targets = _unique((*sources, *(origin for script in scripts for origin in script.connect_to)))
    return "; ".join(
        (
            "default-src 'self'",
            " ".join(("script-src 'self'", *sources)),
            "style-src 'self'",
            " ".join(("img-src 'self' data:", *targets)),
            " ".join(("connect-src 'self'", *_unique((*connect_to, *targets)))),
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def _unique(origins: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(origin for origin in origins if origin))
