"""Strangers' HTML made harmless: what is not on the list is not there.

The second of three walls: what is rendered comes from a renderer that knows text from
markup, then passes this list, and is shown in a sandboxed frame whose
Content-Security-Policy allows no script at all (`handlers/previews.py`).
"""

import re

import nh3

_STRUCTURE = "article section div p br hr h1 h2 h3 h4 h5 h6 details summary figure figcaption"
_LISTS = "ul ol li dl dt dd"
_TABLES = "table caption thead tbody tfoot tr th td colgroup col"
_TEXT = "a span b strong i em u s del ins sub sup small mark abbr q cite kbd samp var code pre"
_OTHERS = "blockquote img"
TAGS = {tag for tags in (_STRUCTURE, _LISTS, _TABLES, _TEXT, _OTHERS) for tag in tags.split()}

_SCRIPTED = "script style svg math template iframe object embed canvas video audio"
_PARSED_APART = "noscript title head xmp textarea select noembed noframes plaintext"
WITH_CONTENT = {*_SCRIPTED.split(), *_PARSED_APART.split()}
"""Tags whose content goes with them."""

ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "th": {"colspan", "rowspan", "scope"},
    "td": {"colspan", "rowspan"},
    "ol": {"start"},
    "details": {"open"},
    "span": {"class"},
    "div": {"class"},
    "pre": {"class"},
    "section": {"class"},
}
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+")
_LINK = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_SIZE = re.compile(r"\d{1,4}")
_CLASSES = re.compile(r"[A-Za-z0-9 _-]{0,100}")


def make_harmless(html: str) -> str:
    """`html` without anything that could run, load or send something.

    Pictures stay if they are in the page itself. Links open a new tab, which knows nothing
    of the one that it came from.
    """
    return nh3.clean(
        html,
        tags=TAGS,
        clean_content_tags=WITH_CONTENT,
        attributes=ATTRIBUTES,
        attribute_filter=_filter,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="noopener noreferrer",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        strip_comments=True,
    )


def _filter(_tag: str, name: str, value: str) -> str | None:
    """The attribute's value, or None to leave it out."""
    pattern = {
        "href": _LINK,
        "src": _PICTURE,
        "width": _SIZE,
        "height": _SIZE,
        "colspan": _SIZE,
        "rowspan": _SIZE,
        "class": _CLASSES,
    }.get(name)
    if pattern is None:
        return value
    is_good = pattern.match(value) if name == "href" else pattern.fullmatch(value)
    return value if is_good else None
